-- Clients, builds, names, tokens, signing keys, and the record of what was issued.
--
-- Every table carries the issuer. Times are whole seconds since 1970. Lists and objects are JSON text.
-- Strict tables, so that no column can hold what its type does not say.

create table clients (
    issuer          text    not null,
    id              text    not null,
    name            text    not null,
    scopes          text    not null,
    organizations   text    not null,
    audiences       text    not null,
    ids             text,
    secret          blob    not null check (length(secret) = 32),
    previous_secret blob    check (length(previous_secret) = 32),
    previous_until  integer,
    created_at      integer not null,
    disabled_at     integer,
    primary key (issuer, id),
    unique (issuer, name),
    check ((previous_secret is null) = (previous_until is null))
) strict, without rowid;

-- What a build is, as it was registered. Written once and never changed, apart from `builds`, so that counting a token
-- rewrites a short row and not the whole registration.
create table registrations (
    issuer        text    not null,
    build_id      text    not null,
    client_id     text    not null,
    key           text    not null,
    body          blob    not null check (length(body) = 32),
    build         text    not null,
    audiences     text,
    registered_at integer not null,
    primary key (issuer, build_id),
    unique (issuer, client_id, key),
    foreign key (issuer, client_id) references clients (issuer, id)
) strict;

-- Where a build is in its life, and how many ID tokens it has had.
create table builds (
    issuer        text    not null,
    id            text    not null,
    client_id     text    not null,
    deadline      integer not null,
    finished_at   integer,
    status        text    check (status in ('canceled', 'failure', 'success')),
    tokens_issued integer not null default 0 check (tokens_issued >= 0),
    primary key (issuer, id),
    foreign key (issuer, id) references registrations (issuer, build_id),
    foreign key (issuer, client_id) references clients (issuer, id),
    check ((finished_at is null) = (status is null))
) strict, without rowid;

create index builds_unfinished on builds (issuer, client_id, deadline) where finished_at is null;

create table request_tokens (
    issuer     text    not null,
    id         text    not null,
    build_id   text    not null,
    kind       text    not null check (kind in ('build', 'step', 'worker')),
    digest     blob    not null check (length(digest) = 32),
    step       text,
    audiences  text,
    expires_at integer not null,
    ended_at   integer,
    max_uses   integer check (max_uses >= 0),
    uses       integer not null default 0 check (uses >= 0),
    primary key (issuer, id),
    unique (issuer, digest),
    foreign key (issuer, build_id) references builds (issuer, id),
    check ((kind = 'step') = (step is not null))
) strict, without rowid;

create index request_tokens_build on request_tokens (issuer, build_id);

-- ID tokens that a rule granted to a build.
create table rule_counts (
    issuer   text    not null,
    build_id text    not null,
    rule     text    not null,
    issued   integer not null check (issued >= 0),
    primary key (issuer, build_id, rule),
    foreign key (issuer, build_id) references builds (issuer, id)
) strict, without rowid;

-- Names and the ids that they are bound to; never pruned. `folded` is what names are compared by.
create table names (
    issuer   text    not null,
    kind     text    not null check (kind in ('org', 'repo')),
    folded   text    not null,
    name     text    not null,
    id       text,
    bound_at integer not null,
    current  integer not null check (current in (0, 1)),
    primary key (issuer, kind, folded)
) strict, without rowid;

create index names_id on names (issuer, kind, id) where id is not null;
create unique index names_current on names (issuer, kind, id) where id is not null and current = 1;

create table signing_key_versions (
    issuer  text    not null primary key,
    version integer not null check (version >= 0)
) strict, without rowid;

create table signing_keys (
    issuer         text    not null,
    kid            text    not null,
    alg            text    not null,
    sealed         blob,
    kek            text,
    announced_at   integer not null,
    signs_from     integer not null,
    revoked_at     integer,
    revoked_reason text,
    jwks_max_age   integer not null check (jwks_max_age >= 0),
    max_lifetime   integer not null check (max_lifetime >= 0),
    primary key (issuer, kid),
    foreign key (issuer) references signing_key_versions (issuer)
) strict;

-- Every ID token that left. Refers to no other table: a record outlives what it tells of.
-- `number` is text, because it may be larger than an integer of the database. `claims` is last, so that reading the
-- rest needs no overflow pages.
create table audit (
    issuer           text    not null,
    jti              text    not null,
    issued_at        integer not null,
    expires_at       integer not null,
    build_id         text    not null,
    client_id        text    not null,
    request_token_id text,
    rule             text,
    org              text    not null,
    repo             text    not null,
    number           text    not null,
    step             text,
    subject          text    not null,
    audiences        text    not null,
    alg              text    not null,
    kid              text    not null,
    token_sha256     blob    not null check (length(token_sha256) = 32),
    peer             text,
    claims           text    not null,
    primary key (issuer, jti)
) strict;

-- Rows of one second follow in the order of their insertion, so that this index grows at its end alone; with the `jti`
-- in it, whose rest is random, each row of a group would touch another page.
create index audit_time on audit (issuer, issued_at);
create index audit_build on audit (issuer, build_id, issued_at);
create index audit_subject on audit (issuer, subject, issued_at);
