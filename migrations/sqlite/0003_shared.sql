-- What all servers of an installation agree on, and the mark of one that moved elsewhere.

-- Declared in the configuration: no command changes it.
alter table clients add column declared integer not null default 0 check (declared in (0, 1));

-- Grows with each change of what the client may do, so that nothing is decided by what was read before it.
alter table clients add column revision integer not null default 0 check (revision >= 0);

-- One row, once `store copy` has begun: whoever would write sees it.
create table moved (
    one      integer not null primary key check (one = 1),
    moved_at integer not null,
    moved_to text    not null
) strict;
