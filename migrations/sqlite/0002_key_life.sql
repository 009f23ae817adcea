-- What a key's life needs beyond its first day: keys that wait for their first start, algorithms that come and go,
-- a former issuer's keys, and the times that clocks are held against.

create table key_sets (
    issuer          text    not null primary key,
    version         integer not null check (version >= 0),
    algorithms      text,
    latest_seen     integer,
    erasable_before integer,
    takeover        blob,
    takeover_kek    text,
    check ((takeover is null) = (takeover_kek is null))
) strict, without rowid;

insert into key_sets (issuer, version) select issuer, version from signing_key_versions;

create table signing_keys_with_life (
    issuer         text    not null,
    kid            text    not null,
    alg            text    not null,
    sealed         blob,
    kek            text,
    announced_at   integer,
    signs_from     integer,
    ends_at        integer,
    revoked_at     integer,
    revoked_reason text,
    jwks_max_age   integer not null check (jwks_max_age >= 0),
    max_lifetime   integer not null check (max_lifetime >= 0),
    primary key (issuer, kid),
    foreign key (issuer) references key_sets (issuer),
    check ((announced_at is null) = (signs_from is null)),
    check ((sealed is null) = (kek is null))
) strict;

insert into signing_keys_with_life (issuer, kid, alg, sealed, kek, announced_at, signs_from, revoked_at,
    revoked_reason, jwks_max_age, max_lifetime)
select issuer, kid, alg, sealed, kek, announced_at, signs_from, revoked_at, revoked_reason, jwks_max_age, max_lifetime
from signing_keys;

drop table signing_keys;
alter table signing_keys_with_life rename to signing_keys;
drop table signing_key_versions;

-- Public keys of an issuer that stood at our URL before us. They sign nothing of ours.
create table adopted_keys (
    issuer         text    not null,
    kid            text    not null,
    sealed         blob    not null,
    kek            text    not null,
    revoked_at     integer,
    revoked_reason text,
    primary key (issuer, kid),
    foreign key (issuer) references key_sets (issuer)
) strict;

-- Under which settings each running server tells the world how long caches and tokens last.
create table key_promises (
    issuer       text    not null,
    server       text    not null,
    announce_for integer not null check (announce_for >= 0),
    jwks_max_age integer not null check (jwks_max_age >= 0),
    max_lifetime integer not null check (max_lifetime >= 0),
    promised_at  integer not null,
    primary key (issuer, server),
    foreign key (issuer) references key_sets (issuer)
) strict, without rowid;
