//! Tests of the format of subjects with near misses: text that moves across a delimiter must change the subject.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::claims::Event;

/// Each character that could be read as a delimiter, and one letter.
const ALPHABET: &[u8] = b"a:@/%*-";

const PAIRS: usize = 100_000;

fn build() -> Build {
    let json = serde_json::json!({
        "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": 17, "attempt": 1, "event": "push",
        "ref": "refs/heads/main", "sha": "0".repeat(40), "fork": false, "trusted": true, "properties": {},
    });
    serde_json::from_value(json).unwrap()
}

fn text(random: &mut StdRng, longest: usize) -> String {
    let length = random.random_range(1..=longest);
    let mut text: String = (0..length).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect();
    if random.random_bool(0.1) {
        text.insert_str(random.random_range(0..=length), "/x:ref:refs/heads/a");
    }
    text
}

/// Returns two builds that are easily confused: one text was split into the fields of both builds, at different places.
fn near_miss(random: &mut StdRng) -> [Build; 2] {
    let whole = text(random, 12);
    let one = cut(&whole, random);
    let other = if random.random_bool(0.5) { moved(&one, random) } else { None };
    let other = other.unwrap_or_else(|| cut(&whole, random));
    [one, other]
}

/// Returns a build whose subject would equal the subject of `one` if values were not encoded. Splits that subject into
/// fields at other delimiters.
fn moved(one: &Build, random: &mut StdRng) -> Option<Build> {
    let mut other = one.clone();
    if let Some(org_id) = &one.org_id {
        let joined = format!("{}@{org_id}/{}@{}", one.org, one.repo, one.repo_id.as_deref()?);
        let ats: Vec<usize> = joined.match_indices('@').map(|(at, _)| at).collect();
        let first = ats[random.random_range(0..ats.len())];
        let slash = first + joined[first..].find('/')?;
        let second = slash + joined[slash..].find('@')?;
        other.org = joined[..first].to_owned();
        other.org_id = Some(joined[first + 1..slash].to_owned());
        other.repo = joined[slash + 1..second].to_owned();
        other.repo_id = Some(joined[second + 1..].to_owned());
    } else {
        let joined = format!("{}/{}:ref:{}", one.org, one.repo, one.git_ref);
        let refs: Vec<usize> = joined.match_indices(":ref:refs/").map(|(at, _)| at).collect();
        let at = refs[random.random_range(0..refs.len())];
        let slash = joined[..at].rfind('/')?;
        other.org = joined[..slash].to_owned();
        other.repo = joined[slash + 1..at].to_owned();
        other.git_ref = joined[at + 5..].to_owned();
    }
    Some(other)
}

fn cut(whole: &str, random: &mut StdRng) -> Build {
    let mut at = [0_usize; 4].map(|_| random.random_range(0..=whole.len()));
    at.sort_unstable();
    let mut build = build();
    // Registration rejects a repository's name with a slash.
    build.org = format!("x{}", &whole[..at[0]]);
    build.org_id = Some(format!("x{}", &whole[at[0]..at[1]])).filter(|_| random.random_bool(0.7));
    build.repo = format!("x{}", whole[at[1]..at[2]].replace('/', ""));
    build.repo_id = Some(format!("x{}", &whole[at[2]..at[3]]));
    build.git_ref = match random.random_range(0..3) {
        0 => format!("refs/heads/{}", &whole[at[3]..]),
        1 => format!("refs/tags/{}", &whole[at[3]..]),
        _ => format!("refs/pull/{}", &whole[at[3]..]),
    };
    build.environment = Some(format!("x{}", &whole[at[3]..])).filter(|_| random.random_bool(0.3));
    build.event = Event::ALL[random.random_range(0..Event::ALL.len())];
    build.ref_protected = [None, Some(false), Some(true)][random.random_range(0..3)];
    build.trusted = random.random_bool(0.7);
    build
}

/// Returns those fields of a build that appear in its subject under this format. Two builds with different values of
/// these fields must have different subjects.
fn fields(format: &SubjectFormat, build: &Build) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.to_owned());
        }
    };
    put("untrusted", (!build.trusted).then_some("true"));
    let protected = if build.is_protected() { "true" } else { "false" };
    match format {
        SubjectFormat::Ids => {
            put("repo_id", build.repo_id.as_deref());
            put("event", Some(build.event.name()));
            put("ref_protected", Some(protected));
        }
        SubjectFormat::Immutable => {
            put("org", Some(&build.org));
            put("org_id", build.org_id.as_deref());
            put("repo", Some(&build.repo));
            put("repo_id", build.repo_id.as_deref());
            match build.environment_of(None) {
                Some(environment) => put("environment", Some(environment)),
                None if build.is_pull_ref() => put("pull_request", Some("true")),
                None => put("ref", Some(&build.git_ref)),
            }
        }
        SubjectFormat::Names => {
            put("org", Some(&build.org));
            put("repo", Some(&build.repo));
            put("ref", Some(&build.git_ref));
            put("event", Some(build.event.name()));
        }
        SubjectFormat::Template(template) => {
            for part in template.parts() {
                if let Part::Field(field) = part {
                    put(&field.name(), field.value(build, None).as_deref());
                }
            }
        }
    }
    fields
}

/// Draws random templates of fields and literals until the parser accepts a template.
fn drawn_template(random: &mut StdRng) -> SubjectFormat {
    const FIELDS: [&str; 8] =
        ["{org}/{repo}", "{org}", "{repo}", "{repo_id}", "{ref}", "{environment}", "{event}", "{ref_protected}"];
    const LITERALS: [&str; 8] = [":", "@", "a:", ":a", "*-", "/:", ":ref:", "-"];
    loop {
        let mut text = ["repo:", "x", "a*"][random.random_range(0..3)].to_owned();
        for _ in 0..random.random_range(2..5) {
            text.push_str(FIELDS[random.random_range(0..FIELDS.len())]);
            text.push_str(LITERALS[random.random_range(0..LITERALS.len())]);
        }
        if random.random_bool(0.5) {
            text.pop();
        }
        if let Ok(format) = text.parse() {
            return format;
        }
    }
}

/// Draws `pairs` pairs of builds with [`near_miss`]. Returns the number of pairs that share a subject although the
/// builds differ in the format's fields.
fn shared(format: &SubjectFormat, encode: Encoder, pairs: usize, random: &mut StdRng) -> usize {
    let mut shared = 0;
    for _ in 0..pairs {
        let [one, other] = near_miss(random);
        let subjects = [&one, &other].map(|build| format.render_with(encode, build, None).ok());
        if let [Some(a), Some(b)] = subjects
            && a == b
            && fields(format, &one) != fields(format, &other)
        {
            shared += 1;
        }
    }
    shared
}

fn built_in() -> [SubjectFormat; 3] {
    [SubjectFormat::Ids, SubjectFormat::Immutable, SubjectFormat::Names]
}

#[test]
fn a_subject_reads_back_as_exactly_the_fields_of_its_format() {
    let mut random = StdRng::seed_from_u64(1);
    let drawn: Vec<_> = (0..40).map(|_| drawn_template(&mut random)).collect();
    for format in built_in().iter().chain(&drawn) {
        for _ in 0..2_500 {
            let [build, _] = near_miss(&mut random);
            let Ok(subject) = format.render(&build, None) else { continue };
            assert_eq!(format.parse(subject.as_str()), Some(fields(format, &build)), "{format} {}", subject.as_str());
        }
    }
}

#[test]
fn text_that_moves_across_a_delimiter_makes_another_subject() {
    let mut random = StdRng::seed_from_u64(2);
    for format in built_in() {
        assert_eq!(shared(&format, encode, PAIRS, &mut random), 0, "{format}");
    }
    for _ in 0..5 {
        let format = drawn_template(&mut random);
        assert_eq!(shared(&format, encode, PAIRS / 5, &mut random), 0, "{format}");
    }
}

#[test]
fn with_the_identity_as_encoder_two_builds_share_a_subject() {
    let mut random = StdRng::seed_from_u64(3);
    let identity: Encoder = |value, _| value.to_owned();
    assert!(shared(&SubjectFormat::Immutable, identity, PAIRS / 10, &mut random) > 0);
    assert!(shared(&SubjectFormat::Names, identity, PAIRS / 10, &mut random) > 0);
}

/// Draws `pairs` pairs of builds: one build is trusted, the other is untrusted or on a pull ref. Returns the number of
/// pairs that share a subject. Refs and environments contain words, such as `:untrusted`, by which subjects tell such
/// builds apart.
fn mistaken(format: &SubjectFormat, encode: Encoder, pairs: usize, random: &mut StdRng) -> usize {
    const WORDS: [&str; 6] = ["", ":untrusted", ":pull_request", ":environment:prod", ":ref:refs/heads/main", "@1"];
    let mut mistaken = 0;
    for _ in 0..pairs {
        let [mut one, mut other] = near_miss(random);
        let mut word = || WORDS[random.random_range(0..WORDS.len())];
        if let Some(environment) = &mut one.environment {
            environment.push_str(word());
        }
        one.git_ref = one.git_ref.replace("refs/pull/", "refs/heads/");
        one.git_ref.push_str(word());
        if random.random_bool(0.7) {
            let (event, trusted) = (other.event, other.trusted);
            other = Build { event, trusted, ..one.clone() };
            for text in [Some(&mut other.git_ref), other.environment.as_mut()].into_iter().flatten() {
                if random.random_bool(0.5) {
                    *text = text.replace(":untrusted", "");
                }
            }
        }
        one.trusted = true;
        // Only these two events are trusted on a pull ref, and only there.
        one.event = Event::Push;
        if random.random_bool(0.7) {
            (other.trusted, other.event) = (false, Event::Push);
        } else {
            other.trusted = true;
            other.git_ref = "refs/pull/7/head".to_owned();
            other.event = Event::PullRequest;
        }
        let subjects = [&one, &other].map(|build| format.render_with(encode, build, None).ok());
        mistaken += usize::from(matches!(subjects, [Some(a), Some(b)] if a == b));
    }
    mistaken
}

#[test]
fn an_untrusted_or_pull_build_never_has_the_subject_of_a_branch_tag_or_environment() {
    let mut random = StdRng::seed_from_u64(4);
    let drawn: Vec<_> = (0..20).map(|_| drawn_template(&mut random)).collect();
    for format in built_in().iter().chain(&drawn) {
        assert_eq!(mistaken(format, encode, 2_000, &mut random), 0, "{format}");
    }
}

#[test]
fn with_the_identity_as_encoder_an_untrusted_build_passes_for_a_trusted_one() {
    let mut random = StdRng::seed_from_u64(5);
    let identity: Encoder = |value, _| value.to_owned();
    // The other two built-in formats end in a word that no build chooses, so no value can imitate what follows it.
    for format in [SubjectFormat::Immutable, "repo:{org}/{repo}:{ref}".parse().unwrap()] {
        assert!(mistaken(&format, identity, 20_000, &mut random) > 0, "{format}");
    }
}

#[test]
fn the_built_in_formats_are_those_that_verifiers_know() {
    let mut build = build();
    let write = |format: SubjectFormat, build: &Build| format.render(build, None).unwrap().as_str().to_owned();
    assert_eq!(write(SubjectFormat::Immutable, &build), "repo:acme@42/app@1001:ref:refs/heads/main");
    assert_eq!(write(SubjectFormat::Names, &build), "repo:acme/app:ref:refs/heads/main:event:push");
    assert_eq!(write(SubjectFormat::Ids, &build), "repo_id:1001:event:push:protected:false");
    build.environment = Some("prod:eu".to_owned());
    assert_eq!(write(SubjectFormat::Immutable, &build), "repo:acme@42/app@1001:environment:prod%3Aeu");
    build.org_id = None;
    build.git_ref = "refs/pull/7/head".to_owned();
    assert_eq!(write(SubjectFormat::Immutable, &build), "repo:acme/app@1001:pull_request");
    build.trusted = false;
    assert_eq!(write(SubjectFormat::Immutable, &build), "repo:acme/app@1001:pull_request:untrusted");
}

#[test]
fn an_ambiguous_template_is_rejected() {
    for (text, problem) in [
        ("{org}:{repo}:{ref}", "must begin with a literal"),
        ("exchange:{repo_id}:{ref}", "must not begin with exchange:"),
        ("repo:{org}{repo}:{ref}", "needs a delimiter after {org}"),
        ("repo:{org}-{repo}:{ref}", "needs a delimiter after {org}"),
        ("repo:{repo}/{org}:{ref}", "needs a delimiter after {repo}"),
        ("repo:{org}/{repo}{ref}", "needs a delimiter after {org}"),
        ("repo:{org}:{ref}", "must contain {org} and {repo}, or {repo_id}"),
        ("repo:{repo_id}", "must contain {ref}"),
        ("repo:{repo_id}:{event}", "must contain {ref}"),
        ("repo:{repo_id}:{ref}:untrusted", "must not end in :untrusted"),
        ("repo:{repo_id}:{ref}:{ref}", "twice"),
        ("repo:{nothing}:{ref}", "names an unknown field of builds"),
        ("repo:{repo_id:{ref}", "names an unknown field of builds"),
        ("repo:{repo_id}:{ref", "without a } after it"),
        ("repo:}{repo_id}:{ref}", "without a { before it"),
        ("repo:ü{repo_id}:{ref}", "outside printable ASCII"),
        ("imutable", "must be immutable, names, ids"),
    ] {
        let error = text.parse::<SubjectFormat>().unwrap_err();
        assert!(error.contains(problem), "{text}: {error}");
    }
    for text in [
        "repo:{org}/{repo}:ref:{ref}:env:{environment}",
        "r:{org}/{repo}:{ref}",
        "id:{repo_id}:{event}:{ref_protected}",
    ] {
        assert_eq!(text.parse::<SubjectFormat>().unwrap().to_string(), text);
    }
}

#[test]
fn a_build_without_a_field_or_with_a_long_subject_has_no_subject() {
    let mut build = build();
    let template: SubjectFormat = "repo:{repo_id}:env:{environment}".parse().unwrap();
    assert_eq!(template.render(&build, None), Err(SubjectUnavailable::Missing("environment".to_owned())));
    build.git_ref = format!("refs/heads/{}", "ü".repeat(40));
    assert!(matches!(SubjectFormat::Immutable.render(&build, None), Err(SubjectUnavailable::TooLong(_))));
}

#[test]
fn no_build_has_a_subject_with_the_prefix_of_access_tokens() {
    // A template that begins with the prefix is rejected when it is parsed; a value can complete the prefix too.
    let template: SubjectFormat = "ex{org}:{repo_id}:{ref}".parse().unwrap();
    let build = Build { org: "change".to_owned(), ..build() };
    assert_eq!(template.render(&build, None), Err(SubjectUnavailable::Reserved));
}

#[test]
fn a_value_is_expanded_once() {
    let mut build = build();
    build.environment = Some("{org}".to_owned());
    let template: SubjectFormat = "repo:{repo_id}:env:{environment}".parse().unwrap();
    assert_eq!(template.render(&build, None).unwrap().as_str(), "repo:1001:env:%7Borg%7D");
}
