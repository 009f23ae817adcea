-- At least one row in each table of the schema at version 5, for both databases; @ab@ is a blob of 32 such bytes.
-- Each column has a value in some row; `moved` stays empty, since a file that has moved opens no more.

insert into clients (issuer, id, name, scopes, organizations, audiences, ids, secret, previous_secret, previous_until,
    created_at, disabled_at, declared, revision, provider, subject) values
    ('main', 'c1', 'ci', '["builds:write"]', '[]', '[]', null, @01@, null, null, 1795000000, null, 0, 0, null, null),
    ('main', 'c2', 'vela', '["builds:write"]', '["acme"]', '["a.example"]', 'forge', @02@, @03@, 1795000060, 1795000001,
        1795000002, 1, 7, 'k8s', 'system:vela');

insert into registrations (issuer, build_id, client_id, key, body, build, audiences, registered_at) values
    ('main', 'b1', 'c1', 'acme/app/1/1', @04@, '{"org":"acme"}', null, 1795000000),
    ('main', 'b2', 'c2', 'acme/app/2/1', @05@, '{"org":"acmé \"quoted\""}', '["a.example"]', 1795000001);

insert into builds (issuer, id, client_id, deadline, finished_at, status, tokens_issued) values
    ('main', 'b1', 'c1', 1795003600, null, null, 0),
    ('main', 'b2', 'c2', 1795003600, 1795000100, 'success', 3);

insert into request_tokens (issuer, id, build_id, kind, digest, step, audiences, expires_at, ended_at, max_uses, uses)
    values
    ('main', 't1', 'b1', 'worker', @06@, null, null, 1795003600, null, null, 0),
    ('main', 't2', 'b2', 'step', @07@, '{"step":"deploy"}', '[]', 1795003600, 1795000050, 5, 3);

insert into rule_counts (issuer, build_id, rule, issued) values ('main', 'b2', 'deploys', 2);

insert into names (issuer, kind, folded, name, id, bound_at, current) values
    ('main', 'org', 'acme', 'Acme', '42', 1795000000, 1),
    ('main', 'repo', 'acme/app', 'Acme/app', null, 1795000000, 1),
    ('main', 'repo', 'acme/old', 'Acme/old', '1001', 1795000000, 0);

insert into key_sets (issuer, version, algorithms, latest_seen, erasable_before, takeover, takeover_kek) values
    ('main', 9, '["ES256"]', 1795000000, 1794000000, @08@, 'k1'),
    ('other', 0, null, null, null, null, null);

insert into signing_keys (issuer, kid, alg, sealed, kek, announced_at, signs_from, ends_at, revoked_at, revoked_reason,
    jwks_max_age, max_lifetime) values
    ('main', 'waiting', 'ES256', @09@, 'k1', null, null, null, null, null, 300, 3600),
    ('main', 'revoked', 'RS256', null, null, 1794000000, 1794003600, 1794900000, 1794800000, 'leaked', 300, 3600);

insert into adopted_keys (issuer, kid, sealed, kek, revoked_at, revoked_reason) values
    ('main', 'theirs', @0a@, 'k1', null, null),
    ('main', 'leaked', @0b@, 'k1', 1794800000, 'leaked');

insert into key_promises (issuer, server, announce_for, jwks_max_age, max_lifetime, promised_at) values
    ('main', 'server-1', 600, 300, 3600, 1795000000);

insert into audit (issuer, jti, issued_at, expires_at, build_id, client_id, request_token_id, rule, org, repo, number,
    step, subject, audiences, alg, kid, token_sha256, peer, claims, revoked_at) values
    ('main', 'j1', 1795000000, 1795000300, 'b1', 'c1', null, null, 'acme', 'app', '18446744073709551615', null,
        'repo:acme/app', '["a"]', 'ES256', 'k', @0c@, null, '{"sub":"repo:acme/app"}', null),
    ('main', 'j2', 1795000000, 1795000300, 'b2', 'c2', 't2', 'deploys', 'acme', 'app', '2', 'deploy',
        'repo:acme/app', '["a"]', 'ES256', 'k', @0d@, '192.0.2.7', '{"sub":"repo:acme/app"}', 1795000010);

insert into rule_books (issuer, revision) values ('main', 4);

insert into users (issuer, name, revision, created_at, disabled_at, removed_at) values
    ('main', 'ada', 1, 1795000000, null, null),
    ('main', 'bob', 4, 1795000000, 1795000001, 1795000002);

insert into oidc_providers (issuer, name, spec, declared, revision, created_at, removed_at, configuration, jwks,
    refreshed_at) values
    ('main', 'github', '{}', 1, 2, 1795000000, null, null, null, null),
    ('main', 'k8s', '{}', 0, 2, 1795000000, 1795000005, '{"issuer":"x"}', '{"keys":[]}', 1795000004);

insert into entitlements (issuer, id, kind, name, user_name, provider, spec, place, token, learned_owner_id,
    learned_repository_id, learn_until, revision, created_at, updated_at, removed_at) values
    ('main', 'e1', 'role', 'push', 'ada', 'github', '{}', 0, 'rg_oidc_akr_1', null, null, null, 3, 1795000000,
        1795000000, null),
    ('main', 'e2', 'publisher', 'gem', null, 'github', '{}', 1, null, '42', '1001', 1795086400, 3, 1795000000,
        1795000001, 1795000002);

insert into traded_tokens (issuer, token_issuer, digest, kept_until, spent) values
    ('main', 'https://idp.example', @0e@, 1795000300, 1),
    ('main', 'https://idp.example', @0f@, 1795000300, 0);

insert into oidc_id_tokens (issuer, id, provider, token_issuer, digest, entitlement, user_name, build_id, kid, header,
    claims, received_at, expires_at) values
    ('main', 'i1', 'github', 'https://idp.example', @0e@, 'e1', 'ada', 'b1', 'k', '{}', '{}', 1795000000, 1795000300);

insert into credentials (issuer, id, kind, digest, door, name, subject, owner, scopes, packages, audience, entitlement,
    provider, user_name, build_id, client_id, outlives_build, id_token, token_kid, signed_by, created_at, expires_at,
    dead_at, dead_because) values
    ('main', 'k1', 'key', @10@, 'rubygems', 'push', 'repo:acme/app', 'ada', '["push_rubygem"]', '["*"]',
        'rubygems', 'e1', 'github', 'ada', 'b1', 'c1', 0, 'i1', 'k', null, 1795000000, 1795000900, null, null),
    ('main', 'k2', 'access_token', @11@, 'grant', 'read', 'repo:acme/app', null, '["read"]', '[]', 'registry', null,
        'github', null, null, null, 1, 'i1', null, 'kid', 1795000000, 1795000900, 1795000100, 'its build ended'),
    ('main', 'k3', 'key', @12@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'a signing key that it rests on was revoked'),
    ('main', 'k4', 'key', @13@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'it was revoked'),
    ('main', 'k5', 'key', @14@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'its ID token was revoked'),
    ('main', 'k6', 'key', @15@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'its provider was changed'),
    ('main', 'k7', 'key', @16@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'its provider was removed'),
    ('main', 'k8', 'key', @17@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'its user was disabled'),
    ('main', 'k9', 'key', @18@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'its user was removed'),
    ('main', 'k10', 'key', @19@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'the client of its build was disabled'),
    ('main', 'k11', 'key', @1a@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'what it was given by was changed'),
    ('main', 'k12', 'key', @1b@, 'nuget', 'push', 'repo:acme/app', null, '[]', '[]', 'nuget', null,
        'github', null, null, null, 1, 'i1', null, null, 1795000000, 1795000900, 1795000100, 'what it was given by was removed');

insert into credential_entitlements (issuer, entitlement, credential) values ('main', 'e1', 'k1');

insert into publications (issuer, audience, ecosystem, folded, version, package, digest, credential, client_id,
    published_at) values ('main', 'rubygems', 'rubygems', 'gem', '1.0.0', 'Gem', 'sha256:00', 'k1', 'c1', 1795000010);

insert into events (issuer, id, at, kind, door, subject, detail) values
    ('main', 'v1', 1795000000, 'ids_learned', null, null, '{}'),
    ('main', 'v2', 1795000001, 'credential_issued', 'rubygems', 'repo:acme/app', '{"key":"k1"}');
