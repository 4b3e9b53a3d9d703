"""Every bound in one place, each with its reason."""

ARGUMENT_BYTES_MAX = 256 * 1024  # what a tool takes fits; more is a file, and a file goes by reference
ARGUMENT_DEPTH_MAX = 32  # deeper than any tool's schema we saw; parsers recurse
RESULT_BYTES_MAX = 1024 * 1024  # what goes back to a model; a tool may declare less
SAID_CHARS_MAX = 2_000  # what a tool says of its failure; more is a log
BATCH_WRITES_MAX = 64  # a batch is one commit; more would make the first caller wait for the last
BATCH_PAUSE_SECONDS = 0.002  # between batches another process gets its turn; without it one waited 1 s and more
BATCH_TRIES_MAX = 4  # lock timeouts of 2 s each outlast the 3 s after which a frozen replica is cut off
BUSY_SECONDS_MAX = 5.0  # how long we wait for another process's turn before the store counts as down
DECIDE_TRIES_MAX = 3  # the doors of a tenant rarely change twice during one call
PERFORM_SECONDS_MAX = 120  # longer work is a run, not a call
LEASE_MARGIN_SECONDS = 10  # between the last possible answer and the reaper: room for the settling commit
CLOCK_DRIFT_MICROS_MAX = 5_000_000  # wall clock against boot clock; more than this is a jump, not drift
DISK_FREE_BYTES_MIN = 64 * 1024 * 1024  # an effect that happened must still fit into the ledger
SAFE_INTEGER = 2**53 - 1  # beyond it JSON readers disagree about the value (RFC 8785, section 3.2.2.3)
CONTRACT_BYTES_MAX = 256 * 1024  # the longest contract we saw is 12 kB; whoever needs more splits the workflow
CONTRACT_DEPTH_MAX = 32  # readers recurse
CONTRACT_NODES_MAX = 20_000  # counted after aliases are written out, so that nine lines do not become a billion
CONTRACT_PROBLEMS_MAX = 100  # nobody reads more at once
EXPRESSION_CHARS_MAX = 1_000  # a condition that is longer belongs into a policy file
EXPRESSION_DEPTH_MAX = 32  # evaluation recurses
LOOKED_AFTER_AT_ONCE_MAX = 16  # by one look at what waits: one that takes long keeps few behind it waiting
UNCERTAIN_LOOKED_AT_MAX = 10_000  # each waits for a person or an answer; more than these nobody resolves in a day
ASK_AGAIN_MICROS_MIN = 10_000_000  # between two questions whether something happened; each pause is twice the last
ASK_AGAIN_MICROS_MAX = 6 * 3_600 * 1_000_000  # by then a person has looked
TENANTS_IN_A_BATCH_MAX = 16  # a batch holds the locks of all its tenants
TOOL_LOOP_STOP_SECONDS_MAX = 2.0  # async tools that wait end at once; one that blocks is not worth more of a stop
ISOLATED_STOP_SECONDS_MAX = 2.0  # a killed process is gone in milliseconds, unless the kernel holds it
ISOLATED_MEMORY_BYTES_MAX = 4 * 1024**3  # address space, of which a process uses a part; numpy alone maps 1 GB
GENERATIONS_MAX = 1_000  # of one signing key: a rotation a day for almost three years; who signed is found by trying
NOTE_BYTES_MAX = 128 * 1024  # a signed head with as many signatures as we read; those of ML-DSA have 2.4 kB each
NOTE_SIGNATURES_MAX = 32  # the specification wants 16 read at least
ANCHOR_SECONDS_MAX = 20  # connecting, asking and the whole answer; whoever keeps heads answers in one
ANCHOR_ANSWER_BYTES_MAX = 128 * 1024  # a time stamp with its certificates has 6 kB
GIT_SECONDS_MAX = 60  # a commit takes milliseconds; a push over a slow line longer
WITNESS_BODY_BYTES_MAX = NOTE_BYTES_MAX + 4 * 1024  # a note and the longest proof
WITNESS_CONNECTION_SECONDS_MAX = 30  # all that one connection asks; who needs longer connects again
WITNESS_CONNECTIONS_MAX = 64  # at once; a ledger needs one for some milliseconds
POLICY_FILE_BYTES_MAX = 256 * 1024  # as long as a contract
EXPIRY_SPARE_DAYS = 1  # what began in the last moment of a month must have ended before its key goes
EXPIRY_LOOKED_MICROS = 3_600 * 1_000_000  # between two looks at what is due; lots are due at the beginning of a day
EXPIRY_TAKEN_OVER_MICROS = 600 * 1_000_000  # a process that needs longer for one lot counts as dead
STORE_CHECKED_BYTES_MAX = 256 * 1024 * 1024  # a look at a whole file of this size takes a second or two

assert BATCH_PAUSE_SECONDS < BUSY_SECONDS_MAX, "whoever waits must meet a pause"
PROVE_SECONDS_MAX = 600  # a look that takes longer is not waited for in a pipeline
