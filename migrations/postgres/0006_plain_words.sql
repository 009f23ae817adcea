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

-- A flow's name is text: a new flow needs no migration.
alter table credentials drop constraint credentials_door_check;
alter table credentials rename column door to flow;
alter table credentials rename column dead_at to revoked_at;
alter table credentials rename column dead_because to revoked_reason;

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

alter index traded_tokens_kept rename to used_tokens_kept;

-- Names that PostgreSQL has derived from former names of tables and columns.
do $$
declare
    former record;
begin
    for former in
        select conrelid::regclass as of_table, conname as name, new_name
        from pg_constraint, lateral (select
            replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(conname::text,
                'traded_tokens', 'used_tokens'), 'used_tokens_spent', 'used_tokens_used'),
                'rule_books', 'rules_revisions'), 'key_promises', 'server_settings'), 'promised_at', 'stored_at'),
                'signing_key_versions', 'key_sets'), 'learned_', 'pinned_'), 'learn_until', 'pin_until'),
                '_door_', '_flow_'), 'dead_at', 'revoked_at'), 'dead_because', 'revoked_reason') as new_name) as renamed
        where connamespace = current_schema()::regnamespace and conrelid <> 0 and conname <> new_name
    loop
        execute format('alter table %s rename constraint %I to %I', former.of_table, former.name, former.new_name);
    end loop;
end $$;
