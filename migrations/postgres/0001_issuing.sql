-- Clients, builds, names, tokens, signing keys, and the record of what was issued.
--
-- Every table carries the issuer. Times are whole seconds since 1970. Lists and objects are JSON text.
-- Texts are compared byte by byte, whatever the database's own collation is.

create table clients (
    issuer text collate "C" not null,
    id text collate "C" not null,
    name text collate "C" not null,
    scopes text collate "C" not null,
    organizations text collate "C" not null,
    audiences text collate "C" not null,
    ids text collate "C",
    secret bytea not null check (octet_length(secret) = 32),
    previous_secret bytea check (octet_length(previous_secret) = 32),
    previous_until bigint,
    created_at bigint not null,
    disabled_at bigint,
    primary key (issuer, id),
    unique (issuer, name),
    check ((previous_secret is null) = (previous_until is null))
);

-- What a build is, as it was registered. Written once and never changed, apart from `builds`, so that counting a token
-- rewrites a short row and not the whole registration.
create table registrations (
    issuer text collate "C" not null,
    build_id text collate "C" not null,
    client_id text collate "C" not null,
    key text collate "C" not null,
    body bytea not null check (octet_length(body) = 32),
    build text collate "C" not null,
    audiences text collate "C",
    registered_at bigint not null,
    primary key (issuer, build_id),
    unique (issuer, client_id, key),
    foreign key (issuer, client_id) references clients (issuer, id)
);

-- Where a build is in its life, and how many ID tokens it has had.
create table builds (
    issuer text collate "C" not null,
    id text collate "C" not null,
    client_id text collate "C" not null,
    deadline bigint not null,
    finished_at bigint,
    status text collate "C" check (status in ('canceled', 'failure', 'success')),
    tokens_issued bigint not null default 0 check (tokens_issued >= 0),
    primary key (issuer, id),
    foreign key (issuer, id) references registrations (issuer, build_id),
    foreign key (issuer, client_id) references clients (issuer, id),
    check ((finished_at is null) = (status is null))
);

create index builds_unfinished on builds (issuer, client_id, deadline) where finished_at is null;

create table request_tokens (
    issuer text collate "C" not null,
    id text collate "C" not null,
    build_id text collate "C" not null,
    kind text collate "C" not null check (kind in ('build', 'step', 'worker')),
    digest bytea not null check (octet_length(digest) = 32),
    step text collate "C",
    audiences text collate "C",
    expires_at bigint not null,
    ended_at bigint,
    max_uses bigint check (max_uses >= 0),
    uses bigint not null default 0 check (uses >= 0),
    primary key (issuer, id),
    unique (issuer, digest),
    foreign key (issuer, build_id) references builds (issuer, id),
    check ((kind = 'step') = (step is not null))
);

create index request_tokens_build on request_tokens (issuer, build_id);

-- ID tokens that a rule granted to a build.
create table rule_counts (
    issuer text collate "C" not null,
    build_id text collate "C" not null,
    rule text collate "C" not null,
    issued bigint not null check (issued >= 0),
    primary key (issuer, build_id, rule),
    foreign key (issuer, build_id) references builds (issuer, id)
);

-- Names and the ids that they are bound to; never pruned. `folded` is what names are compared by.
create table names (
    issuer text collate "C" not null,
    kind text collate "C" not null check (kind in ('org', 'repo')),
    folded text collate "C" not null,
    name text collate "C" not null,
    id text collate "C",
    bound_at bigint not null,
    current bigint not null check (current in (0, 1)),
    primary key (issuer, kind, folded)
);

create index names_id on names (issuer, kind, id) where id is not null;
create unique index names_current on names (issuer, kind, id) where id is not null and current = 1;

create table signing_key_versions (
    issuer text collate "C" not null primary key,
    version bigint not null check (version >= 0)
);

create table signing_keys (
    issuer text collate "C" not null,
    kid text collate "C" not null,
    alg text collate "C" not null,
    sealed bytea,
    kek text collate "C",
    announced_at bigint not null,
    signs_from bigint not null,
    revoked_at bigint,
    revoked_reason text collate "C",
    jwks_max_age bigint not null check (jwks_max_age >= 0),
    max_lifetime bigint not null check (max_lifetime >= 0),
    primary key (issuer, kid),
    foreign key (issuer) references signing_key_versions (issuer)
);

-- Every ID token that left. Refers to no other table: a record outlives what it tells of.
-- `number` is text, because it may be larger than an bigint of the database. `claims` is last, so that reading the
-- rest needs no overflow pages.
create table audit (
    issuer text collate "C" not null,
    jti text collate "C" not null,
    issued_at bigint not null,
    expires_at bigint not null,
    build_id text collate "C" not null,
    client_id text collate "C" not null,
    request_token_id text collate "C",
    rule text collate "C",
    org text collate "C" not null,
    repo text collate "C" not null,
    number text collate "C" not null,
    step text collate "C",
    subject text collate "C" not null,
    audiences text collate "C" not null,
    alg text collate "C" not null,
    kid text collate "C" not null,
    token_sha256 bytea not null check (octet_length(token_sha256) = 32),
    peer text collate "C",
    claims text collate "C" not null,
    primary key (issuer, jti)
);

-- Rows of one second follow in the order of their insertion, so that this index grows at its end alone; with the `jti`
-- in it, whose rest is random, each row of a group would touch another page.
create index audit_time on audit (issuer, issued_at);
create index audit_build on audit (issuer, build_id, issued_at);
create index audit_subject on audit (issuer, subject, issued_at);
