-- Tables and columns take the words that the field uses: a credential is revoked, a token is used, ids are pinned, and
-- what an exchange went through is a flow. Values keep their text, except kinds of events and reasons of revocations.

alter table rule_books rename to rules_revisions;
alter table key_promises rename to server_settings;
alter table server_settings rename column promised_at to stored_at;

alter table entitlements rename column learned_owner_id to pinned_owner_id;
alter table entitlements rename column learned_repository_id to pinned_repository_id;
alter table entitlements rename column learn_until to pin_until;

alter table traded_tokens rename to used_tokens;
alter table used_tokens rename column spent to used;

-- A flow's name is text: a new flow needs no migration. SQLite drops a column's check only with the table.
create table flow_credentials (
    issuer         text    not null,
    id             text    not null,
    kind           text    not null check (kind in ('access_token', 'key')),
    digest         blob    not null check (length(digest) = 32),
    flow           text    not null,
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
    revoked_at     integer,
    revoked_reason text,
    primary key (issuer, id),
    unique (issuer, digest),
    check ((revoked_at is null) = (revoked_reason is null))
) strict;

insert into flow_credentials (
    issuer, id, kind, digest, flow, name, subject, owner, scopes, packages, audience, entitlement, provider,
    user_name, build_id, client_id, outlives_build, id_token, token_kid, signed_by, created_at, expires_at,
    revoked_at, revoked_reason
)
select
    issuer, id, kind, digest, door, name, subject, owner, scopes, packages, audience, entitlement, provider,
    user_name, build_id, client_id, outlives_build, id_token, token_kid, signed_by, created_at, expires_at,
    dead_at, dead_because
from credentials;

drop table credentials;
alter table flow_credentials rename to credentials;

create index credentials_time on credentials (issuer, created_at);
create index credentials_entitlement on credentials (issuer, entitlement, expires_at) where revoked_at is null;
create index credentials_provider on credentials (issuer, provider, expires_at) where revoked_at is null;
create index credentials_user on credentials (issuer, user_name, expires_at) where revoked_at is null;
create index credentials_build on credentials (issuer, build_id, expires_at) where revoked_at is null;
create index credentials_client on credentials (issuer, client_id, expires_at) where revoked_at is null;
create index credentials_id_token on credentials (issuer, id_token) where revoked_at is null;
create index credentials_token_kid on credentials (issuer, token_kid, expires_at) where revoked_at is null;
create index credentials_signed_by on credentials (issuer, signed_by, expires_at) where revoked_at is null;

alter table events rename column door to flow;

update events set kind = 'ids_pinned' where kind = 'ids_learned';

update credentials set revoked_reason = case revoked_reason
    when 'a signing key that it rests on was revoked' then 'the signing key was revoked'
    when 'it was revoked' then 'the credential was revoked'
    when 'its ID token was revoked' then 'the ID token was revoked'
    when 'its build ended' then 'the build finished'
    when 'its provider was changed' then 'the provider was changed'
    when 'its provider was removed' then 'the provider was deleted'
    when 'its user was disabled' then 'the user was disabled'
    when 'its user was removed' then 'the user was deleted'
    when 'the client of its build was disabled' then 'the client of the build was disabled'
    when 'what it was given by was changed' then 'the entitlement was changed'
    when 'what it was given by was removed' then 'the entitlement was deleted'
    else revoked_reason
end where revoked_reason is not null;

drop index traded_tokens_kept;
create index used_tokens_kept on used_tokens (issuer, kept_until);
