-- Tables and columns take the words that the field uses: a credential is revoked, a token is used, ids are pinned, and
-- what an exchange went through is a flow. Rows keep their values.

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

alter index traded_tokens_kept rename to used_tokens_kept;
alter index traded_tokens_pkey rename to used_tokens_pkey;
