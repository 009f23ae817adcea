//! `[issuance]`: the rules that decide which build may have a token for which audience. The reader compiles each rule
//! to find faults, but never decides about a build.

use super::declare::{section, table};
use super::reader::{Reader, any};
use crate::base::Seconds;
use crate::claims::AudiencePattern;
use crate::jose::Algorithm;
use crate::policy::{DefaultGrant, IssuancePolicy, RuleSpec};
use crate::toml_input::{Fault, PathStep};

const RULES: &str = "issuance.rules";

section! {
    /// The rules that decide which build may have a token for which audience.
    pub struct Issuance in ("issuance", RuleKeys::TABLE) {
        /// Decision for an audience that no rule lists: `trusted` allows trusted builds, `deny` allows no build.
        default: DefaultGrant = default r#""trusted""#;
        /// Issuance rules, in the order of evaluation. Also written as `[[issuance.rules]]`.
        rules: Vec<RuleSpec> = default "[]", each rule;
    }
}

table! {
    /// An issuance rule, which allows builds to have tokens for the rule's audiences.
    struct RuleKeys in "[[issuance.rules]]" {
        /// Unique name of the rule. Tokens, logs and error texts mention this name.
        name: String;
        /// Condition on the variable `build`, in CEL. If absent: the rule applies to every build.
        when: Option<String>;
        /// Audiences that the rule allows, at least one. `*` stands for any characters except `/`, `:`, `@`, `?` and
        /// `#`.
        audiences: Vec<AudiencePattern>;
        /// Whether one token may have several of the rule's audiences at once.
        multiple: bool = "false";
        /// Whether the rule applies to untrusted builds too.
        allow_untrusted: bool = "false";
        /// Maximum lifetime of a token that this rule allows, at most `tokens.max_lifetime`. If absent:
        /// `tokens.max_lifetime`.
        max_lifetime: Option<Seconds>;
        /// Maximum number of tokens that this rule allows to one build. If absent: `limits.tokens_per_build` alone
        /// applies.
        max_tokens_per_build: Option<u64>;
        /// Signature algorithm that the rule requires of a token: `RS256` or `ES256`. If absent: any algorithm of
        /// `keys.algorithms`.
        algorithm: Option<Algorithm>;
    }
}

/// Reads `[issuance]`. `longest` is `tokens.max_lifetime`.
pub(super) fn read(reader: &mut Reader<'_>, longest: Option<Seconds>) -> Option<Issuance> {
    let issuance = Issuance::read_keys(reader);
    let faults = rule_faults(reader, longest);
    let are_valid = faults.is_empty();
    faults.into_iter().for_each(|fault| reader.refuse(RULES, fault));
    issuance.filter(|_| are_valid)
}

/// Returns the faults of all rules. A rule with a malformed field is checked too, so that one run reports every fault.
fn rule_faults(reader: &Reader<'_>, longest: Option<Seconds>) -> Vec<Fault> {
    let (mut places, mut specs) = (Vec::new(), Vec::new());
    for (index, mut read) in reader.readable::<RuleKeys>(RULES) {
        if let Some(spec) = read.table.take().and_then(|keys| rule(keys).ok()) {
            places.push((index, read));
            specs.push(spec);
        }
    }
    let mut found: Vec<(usize, Fault)> = Vec::new();
    for (at, rule) in specs.iter().enumerate() {
        if let (Some(length), Some(longest)) = (rule.max_lifetime, longest)
            && length > longest
        {
            let fault = Fault::from(format!("{length} is longer than tokens.max_lifetime, {longest}"));
            found.push((at, fault.below([PathStep::Field("max_lifetime".to_owned())])));
        }
    }
    let errors = IssuancePolicy::faults(&specs).into_iter();
    found.extend(
        errors.map(|error| (error.index, Fault::from(error.text).below([PathStep::Field(error.field.to_owned())]))),
    );
    found.sort_by_key(|(at, _)| *at);
    let place = |(at, fault): (usize, Fault)| {
        let (index, _) = places.get(at).filter(|(_, read)| !read.explains(&fault))?;
        Some(fault.below([PathStep::Item(*index)]))
    };
    found.into_iter().filter_map(place).collect()
}

fn rule(keys: RuleKeys) -> Result<RuleSpec, Fault> {
    any(RuleSpec {
        name: keys.name,
        when: keys.when,
        audiences: keys.audiences,
        multiple: keys.multiple,
        allow_untrusted: keys.allow_untrusted,
        max_lifetime: keys.max_lifetime,
        max_tokens_per_build: keys.max_tokens_per_build,
        algorithm: keys.algorithm,
    })
}
