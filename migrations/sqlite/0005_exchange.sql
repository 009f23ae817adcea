-- What tokens are traded for: users, providers, entitlements; and what came of it: spent tokens, ID tokens,
-- credentials, publications, and the events that operators read.
--
-- Rows that tell of a trade refer to no other table: they outlive what they tell of.

-- Grows with each change of a user, a provider or an entitlement; each changed row carries the number of its change, so
-- that every server reads exactly what it has not seen.
create table rule_books (
    issuer   text    not null primary key,
    revision integer not null check (revision >= 0)
) strict, without rowid;

create table users (
    issuer      text    not null,
    name        text    not null,
    revision    integer not null,
    created_at  integer not null,
    disabled_at integer,
    removed_at  integer,
    primary key (issuer, name)
) strict, without rowid;

create index users_revision on users (issuer, revision);

-- Those of the configuration are `declared`: no command changes them. What was fetched last is kept to begin with.
create table oidc_providers (
    issuer        text    not null,
    name          text    not null,
    spec          text    not null,
    declared      integer not null check (declared in (0, 1)),
    revision      integer not null,
    created_at    integer not null,
    removed_at    integer,
    configuration text,
    jwks          text,
    refreshed_at  integer,
    primary key (issuer, name)
) strict;

create index oidc_providers_revision on oidc_providers (issuer, revision);

-- RubyGems roles and trusted publishers, NuGet trust policies, grants. `place` is their order among each other.
-- Ids that a name was learned to have stand beside the spec, which says what an operator wrote.
create table entitlements (
    issuer                text    not null,
    id                    text    not null,
    kind                  text    not null check (kind in ('grant', 'publisher', 'role', 'trust_policy')),
    name                  text    not null,
    user_name             text,
    provider              text    not null,
    spec                  text    not null,
    place                 integer not null,
    token                 text,
    learned_owner_id      text,
    learned_repository_id text,
    learn_until           integer,
    revision              integer not null,
    created_at            integer not null,
    updated_at            integer not null,
    removed_at            integer,
    primary key (issuer, id),
    check ((kind = 'role') = (token is not null))
) strict;

create index entitlements_revision on entitlements (issuer, revision);
create unique index entitlements_token on entitlements (issuer, token) where token is not null;
create unique index entitlements_name on entitlements (issuer, kind, coalesce(user_name, ''), name)
    where removed_at is null;

-- A token that was traded, by its issuer and the digest of its id, or of header and payload where it has none. One that
-- may be traded more than once stands here unspent, so that whoever spends or revokes it meets whoever trades it.
-- Tied to no provider: one that is made anew opens nothing again.
create table traded_tokens (
    issuer       text    not null,
    token_issuer text    not null,
    digest       blob    not null check (length(digest) = 32),
    kept_until   integer not null,
    spent        integer not null check (spent in (0, 1)),
    primary key (issuer, token_issuer, digest)
) strict, without rowid;

create index traded_tokens_kept on traded_tokens (issuer, kept_until);

-- ID tokens that something was given for. Header and claims, never the signature.
create table oidc_id_tokens (
    issuer       text    not null,
    id           text    not null,
    provider     text    not null,
    token_issuer text    not null,
    digest       blob    not null check (length(digest) = 32),
    entitlement  text,
    user_name    text,
    build_id     text,
    kid          text    not null,
    header       text    not null,
    claims       text    not null,
    received_at  integer not null,
    expires_at   integer not null,
    primary key (issuer, id)
) strict;

create index oidc_id_tokens_digest on oidc_id_tokens (issuer, token_issuer, digest);
create index oidc_id_tokens_user on oidc_id_tokens (issuer, user_name, received_at) where user_name is not null;

-- What was given: keys, and access tokens that we signed. `digest` is of the whole text, which is nowhere.
-- Death is stamped, once, by the act that causes it.
create table credentials (
    issuer         text    not null,
    id             text    not null,
    kind           text    not null check (kind in ('access_token', 'key')),
    digest         blob    not null check (length(digest) = 32),
    door           text    not null check (door in ('grant', 'nuget', 'registry', 'rubygems')),
    name           text    not null,
    subject        text    not null,
    owner          text,
    scopes         text    not null,
    packages       text    not null,
    audience       text    not null,
    entitlement    text,
    provider       text    not null,
    user_name      text,
    build_id       text,
    client_id      text,
    outlives_build integer not null check (outlives_build in (0, 1)),
    id_token       text    not null,
    token_kid      text,
    signed_by      text,
    created_at     integer not null,
    expires_at     integer not null,
    dead_at        integer,
    dead_because   text,
    primary key (issuer, id),
    unique (issuer, digest),
    check ((dead_at is null) = (dead_because is null))
) strict;

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
    issuer      text not null,
    entitlement text not null,
    credential  text not null,
    primary key (issuer, entitlement, credential)
) strict, without rowid;

-- What a key pushed. `folded` is what packages are compared by.
create table publications (
    issuer       text    not null,
    audience     text    not null,
    ecosystem    text    not null check (ecosystem in ('generic', 'nuget', 'oci', 'rubygems')),
    folded       text    not null,
    version      text    not null,
    package      text    not null,
    digest       text    not null,
    credential   text    not null,
    client_id    text    not null,
    published_at integer not null,
    primary key (issuer, audience, ecosystem, folded, version)
) strict;

create index publications_package on publications (issuer, folded, version);

-- What operators read: changes, credentials, refusals.
create table events (
    issuer  text    not null,
    id      text    not null,
    at      integer not null,
    kind    text    not null,
    door    text,
    subject text,
    detail  text    not null,
    primary key (issuer, id)
) strict;

create index events_time on events (issuer, at);

-- A token that its holder gave up, or an operator took back.
alter table audit add column revoked_at integer;
