-- Clients without a secret: each is known by the tokens of a provider, under one subject. The secret in their row was
-- never shown to anybody, and is never compared.

alter table clients add column provider text;
alter table clients add column subject text check ((subject is null) = (provider is null));

create unique index clients_identity on clients (issuer, provider, subject) where provider is not null;
