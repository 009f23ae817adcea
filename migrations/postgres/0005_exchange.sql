-- What tokens are traded for: users, providers, entitlements; and what came of it: spent tokens, ID tokens,
-- credentials, publications, and the events that operators read.
--
-- Rows that tell of a trade refer to no other table: they outlive what they tell of.

-- Grows with each change of a user, a provider or an entitlement; each changed row carries the number of its change, so
-- that every server reads exactly what it has not seen.
create table rule_books (
    issuer text collate "C" not null primary key,
    revision bigint not null check (revision >= 0)
);

create table users (
    issuer text collate "C" not null,
    name text collate "C" not null,
    revision bigint not null,
    created_at bigint not null,
    disabled_at bigint,
    removed_at bigint,
    primary key (issuer, name)
);

create index users_revision on users (issuer, revision);

-- Those of the configuration are `declared`: no command changes them. What was fetched last is kept to begin with.
create table oidc_providers (
    issuer text collate "C" not null,
    name text collate "C" not null,
    spec text collate "C" not null,
    declared bigint not null check (declared in (0, 1)),
    revision bigint not null,
    created_at bigint not null,
    removed_at bigint,
    configuration text collate "C",
    jwks text collate "C",
    refreshed_at bigint,
    primary key (issuer, name)
);

create index oidc_providers_revision on oidc_providers (issuer, revision);

-- RubyGems roles and trusted publishers, NuGet trust policies, grants. `place` is their order among each other.
-- Ids that a name was learned to have stand beside the spec, which says what an operator wrote.
create table entitlements (
    issuer text collate "C" not null,
    id text collate "C" not null,
    kind text collate "C" not null check (kind in ('grant', 'publisher', 'role', 'trust_policy')),
    name text collate "C" not null,
    user_name text collate "C",
    provider text collate "C" not null,
    spec text collate "C" not null,
    place bigint not null,
    token text collate "C",
    learned_owner_id text collate "C",
    learned_repository_id text collate "C",
    learn_until bigint,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    removed_at bigint,
    primary key (issuer, id),
    check ((kind = 'role') = (token is not null))
);

create index entitlements_revision on entitlements (issuer, revision);
create unique index entitlements_token on entitlements (issuer, token) where token is not null;
create unique index entitlements_name on entitlements (issuer, kind, coalesce(user_name, ''), name)
    where removed_at is null;

-- A token that was traded, by its issuer and the digest of its id, or of header and payload where it has none. One that
-- may be traded more than once stands here unspent, so that whoever spends or revokes it meets whoever trades it.
-- Tied to no provider: one that is made anew opens nothing again.
create table traded_tokens (
    issuer text collate "C" not null,
    token_issuer text collate "C" not null,
    digest bytea not null check (octet_length(digest) = 32),
    kept_until bigint not null,
    spent bigint not null check (spent in (0, 1)),
    primary key (issuer, token_issuer, digest)
);

create index traded_tokens_kept on traded_tokens (issuer, kept_until);

-- ID tokens that something was given for. Header and claims, never the signature.
create table oidc_id_tokens (
    issuer text collate "C" not null,
    id text collate "C" not null,
    provider text collate "C" not null,
    token_issuer text collate "C" not null,
    digest bytea not null check (octet_length(digest) = 32),
    entitlement text collate "C",
    user_name text collate "C",
    build_id text collate "C",
    kid text collate "C" not null,
    header text collate "C" not null,
    claims text collate "C" not null,
    received_at bigint not null,
    expires_at bigint not null,
    primary key (issuer, id)
);

create index oidc_id_tokens_digest on oidc_id_tokens (issuer, token_issuer, digest);
create index oidc_id_tokens_user on oidc_id_tokens (issuer, user_name, received_at) where user_name is not null;

-- What was given: keys, and access tokens that we signed. `digest` is of the whole text, which is nowhere.
-- Death is stamped, once, by the act that causes it.
create table credentials (
    issuer text collate "C" not null,
    id text collate "C" not null,
    kind text collate "C" not null check (kind in ('access_token', 'key')),
    digest bytea not null check (octet_length(digest) = 32),
    door text collate "C" not null check (door in ('grant', 'nuget', 'registry', 'rubygems')),
    name text collate "C" not null,
    subject text collate "C" not null,
    owner text collate "C",
    scopes text collate "C" not null,
    packages text collate "C" not null,
    audience text collate "C" not null,
    entitlement text collate "C",
    provider text collate "C" not null,
    user_name text collate "C",
    build_id text collate "C",
    client_id text collate "C",
    outlives_build bigint not null check (outlives_build in (0, 1)),
    id_token text collate "C" not null,
    token_kid text collate "C",
    signed_by text collate "C",
    created_at bigint not null,
    expires_at bigint not null,
    dead_at bigint,
    dead_because text collate "C",
    primary key (issuer, id),
    unique (issuer, digest),
    check ((dead_at is null) = (dead_because is null))
);

create index credentials_time on credentials (issuer, created_at);
create index credentials_entitlement on credentials (issuer, entitlement, expires_at) where dead_at is null;
create index credentials_provider on credentials (issuer, provider, expires_at) where dead_at is null;
create index credentials_user on credentials (issuer, user_name, expires_at) where dead_at is null;
create index credentials_build on credentials (issuer, build_id, expires_at) where dead_at is null;
create index credentials_client on credentials (issuer, client_id, expires_at) where dead_at is null;
create index credentials_id_token on credentials (issuer, id_token) where dead_at is null;
create index credentials_token_kid on credentials (issuer, token_kid, expires_at) where dead_at is null;
create index credentials_signed_by on credentials (issuer, signed_by, expires_at) where dead_at is null;

-- What a credential rests on beside its own entitlement: a publisher is one for each gem.
create table credential_entitlements (
    issuer text collate "C" not null,
    entitlement text collate "C" not null,
    credential text collate "C" not null,
    primary key (issuer, entitlement, credential)
);

-- What a key pushed. `folded` is what packages are compared by.
create table publications (
    issuer text collate "C" not null,
    audience text collate "C" not null,
    ecosystem text collate "C" not null check (ecosystem in ('generic', 'nuget', 'oci', 'rubygems')),
    folded text collate "C" not null,
    version text collate "C" not null,
    package text collate "C" not null,
    digest text collate "C" not null,
    credential text collate "C" not null,
    client_id text collate "C" not null,
    published_at bigint not null,
    primary key (issuer, audience, ecosystem, folded, version)
);

create index publications_package on publications (issuer, folded, version);

-- What operators read: changes, credentials, refusals.
create table events (
    issuer text collate "C" not null,
    id text collate "C" not null,
    at bigint not null,
    kind text collate "C" not null,
    door text collate "C",
    subject text collate "C",
    detail text collate "C" not null,
    primary key (issuer, id)
);

create index events_time on events (issuer, at);

-- A token that its holder gave up, or an operator took back.
alter table audit add column revoked_at bigint;
