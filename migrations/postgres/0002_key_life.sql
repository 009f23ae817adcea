-- What a key's life needs beyond its first day: keys that wait for their first start, algorithms that come and go,
-- a former issuer's keys, and the times that clocks are held against.

alter table signing_key_versions rename to key_sets;
alter table key_sets add column algorithms text collate "C";
alter table key_sets add column latest_seen bigint;
alter table key_sets add column erasable_before bigint;
alter table key_sets add column takeover bytea;
alter table key_sets add column takeover_kek text collate "C";
alter table key_sets add check ((takeover is null) = (takeover_kek is null));

alter table signing_keys alter column announced_at drop not null;
alter table signing_keys alter column signs_from drop not null;
alter table signing_keys add column ends_at bigint;
alter table signing_keys add check ((announced_at is null) = (signs_from is null));
alter table signing_keys add check ((sealed is null) = (kek is null));

-- Public keys of an issuer that stood at our URL before us. They sign nothing of ours.
create table adopted_keys (
    issuer text collate "C" not null,
    kid text collate "C" not null,
    sealed bytea not null,
    kek text collate "C" not null,
    revoked_at bigint,
    revoked_reason text collate "C",
    primary key (issuer, kid),
    foreign key (issuer) references key_sets (issuer)
);

-- Under which settings each running server tells the world how long caches and tokens last.
create table key_promises (
    issuer text collate "C" not null,
    server text collate "C" not null,
    announce_for bigint not null check (announce_for >= 0),
    jwks_max_age bigint not null check (jwks_max_age >= 0),
    max_lifetime bigint not null check (max_lifetime >= 0),
    promised_at bigint not null,
    primary key (issuer, server),
    foreign key (issuer) references key_sets (issuer)
);
