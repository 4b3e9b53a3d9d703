create table customers (id integer primary key, tenant text not null, mail text not null, name text not null, credit numeric);
create table calls (
  id integer primary key,
  customer integer not null references customers (id),
  note text not null,
  at text not null default current_timestamp,
  interlock_key text not null unique
);
insert into customers values (1, 'default', 'sam@example.com', 'Sam', 12.5), (2, 'other', 'ann@example.com', 'Ann', 0);
