-- name: find_customer
-- Find a customer by mail.
-- param mail: string
-- returns one
select id, name, credit from customers where mail = :mail and tenant = :interlock_tenant;

-- name: calls_of
-- Say what was talked about, the latest first.
-- param customer: integer
-- param most: integer?
select note, at from calls where customer = :customer order by at desc limit coalesce(:most, 20);

-- name: note_call
-- Write down what a customer said.
-- param customer: integer
-- param note: string
-- returns one
insert into calls (customer, note, interlock_key) values (:customer, :note, :interlock_key) returning id;

-- name: was_noted
-- param key: string
-- returns happened
select id from calls where interlock_key = :key;
