//! `exchange`: manages the rules by which subject tokens are exchanged for credentials, and the credentials that were
//! issued.

mod apply;
mod changes;
mod columns;
mod explain;
mod keys;
mod object_help;
mod objects;
mod users;

use clap::Subcommand;

pub(super) use self::object_help::Help;
pub(super) use self::objects::ObjectCommand;

use super::failure::Failure;
use super::installation::Installation;
use crate::exchange::Section;

const ROLES: Help = Help {
    command: "exchange roles",
    article: "a",
    noun: "role",
    plural: "roles",
    example: "push-app --user octo",
    note: "",
    object: "name = \"push-app\"
  user = \"octo\"
  provider = \"self\"
  permissions = { scopes = [\"push_rubygem\"], gems = [\"app\"] }
  [[access_policy.statements]]
  effect = \"allow\"
  conditions = [{ operator = \"string_equals\", claim = \"repo\", value = \"acme/app\" }]",
};

const PUBLISHERS: Help = Help {
    command: "exchange publishers",
    article: "a",
    noun: "trusted publisher",
    plural: "trusted publishers",
    example: "app@self/0123456789ab",
    note: "\n\nThe name of a trusted publisher is GEM@PROVIDER/DIGEST, with a digest of its criteria.",
    object: "gem = \"app\"
  user = \"octo\"
  provider = \"self\"
  criteria = { org = \"acme\", repo = \"app\" }",
};

const TRUST_POLICIES: Help = Help {
    command: "exchange trust-policies",
    article: "a",
    noun: "trust policy",
    plural: "trust policies",
    example: "nuget-app --user octo",
    note: "",
    object: "name = \"nuget-app\"
  user = \"octo\"
  owner = \"acme\"
  kind = \"vela\"
  criteria = { org = \"acme\", repo = \"app\" }
  packages = [\"Acme.*\"]",
};

const GRANTS: Help = Help {
    command: "exchange grants",
    article: "a",
    noun: "grant",
    plural: "grants",
    example: "artefacts",
    note: "",
    object: "name = \"artefacts\"
  provider = \"self\"
  audience = \"https://artefacts.example.com\"
  scopes = [\"read\"]",
};

/// Commands on the exchange.
#[derive(Debug, Subcommand)]
pub(super) enum ExchangeCommand {
    Apply(apply::Apply),
    /// Manage RubyGems roles: which builds may assume which role, and the permissions of each role
    #[command(subcommand, mut_subcommands = ROLES.describe())]
    Roles(ObjectCommand),
    /// Manage RubyGems trusted publishers: which builds may push which gem
    #[command(subcommand, mut_subcommands = PUBLISHERS.describe())]
    Publishers(ObjectCommand),
    /// Manage NuGet trust policies: which builds may push which packages
    #[command(subcommand, mut_subcommands = TRUST_POLICIES.describe())]
    TrustPolicies(ObjectCommand),
    /// Manage grants, which say which tokens get which scopes at the token endpoint and in forward authentication
    #[command(subcommand, mut_subcommands = GRANTS.describe())]
    Grants(ObjectCommand),
    /// Manage users: the owners of roles, trusted publishers and trust policies
    #[command(subcommand)]
    Users(users::Users),
    /// List, show and revoke API keys and access tokens issued by the exchange
    #[command(subcommand)]
    Keys(keys::KeyCommand),
    Explain(explain::Explain),
}

impl ExchangeCommand {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        match self {
            Self::Apply(apply) => apply.run(installation).await,
            Self::Roles(command) => command.run(Section::Roles, installation).await,
            Self::Publishers(command) => command.run(Section::TrustedPublishers, installation).await,
            Self::TrustPolicies(command) => command.run(Section::TrustPolicies, installation).await,
            Self::Grants(command) => command.run(Section::Grants, installation).await,
            Self::Users(users) => users.run(installation).await,
            Self::Keys(keys) => keys.run(installation).await,
            Self::Explain(explain) => explain.run(installation).await,
        }
    }
}
