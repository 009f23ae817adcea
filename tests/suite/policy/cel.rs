//! Conditions in CEL: which are rejected when they are compiled, their results, and the limits of their cost.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use buildpass::policy::{CelError, CelFailure, Fact, Facts, Names, Program};
use proptest::prelude::*;

fn facts<'a>(properties: &'a BTreeMap<String, String>, audiences: &'a [String]) -> Facts<'a> {
    Facts::from([
        ("build.org", Fact::text(Some("acme"))),
        ("build.number", Fact::text(Some("17"))),
        ("build.trusted", Fact::Flag(true)),
        ("build.properties", Fact::TextMap(properties)),
        ("request.audiences", Fact::Texts(audiences)),
        ("request.lifetime", Fact::Number(300)),
    ])
}

fn compile(source: &str) -> Result<Program, CelError> {
    let properties = BTreeMap::from([("team".to_owned(), "platform".to_owned())]);
    Program::compile(source, &Names::from_example(facts(&properties, &["sts.amazonaws.com".to_owned()])))
}

/// Compiles a condition and evaluates it on a few facts.
fn answer(source: &str) -> Result<bool, CelFailure> {
    let properties = BTreeMap::from([("tier".to_owned(), "secret-value".to_owned())]);
    let audiences = ["sts.amazonaws.com".to_owned(), "sigstore".to_owned()];
    compile(source).unwrap_or_else(|error| panic!("{source}\n{error}")).evaluate(&facts(&properties, &audiences))
}

#[test]
fn a_condition_is_rejected_with_the_place_of_its_first_mistake() {
    let mistakes = [
        "build.org ==",
        "@",
        "",
        "'abc",
        r"build.org == '\d'",
        "orgg == 'x'",
        "build.orgg == 'x' && build.teams == 'y'",
        "'é𝕏' == build.orgg",
        "build.trusted &&\n\tbuild.orgg == 'x'",
        ".build.org == 'x'",
        "build == request",
        "build['org'] == 'x'",
        "build.properties == request.properties",
        "has(build.org)",
        "has(build.orgg)",
        "build.org.upperAscii() == 'X'",
        "matches(build.org)",
        "type(build.org) == string",
        "optional.of(1).hasValue()",
        "build.?org == 'x'",
        "acme.Rule{name: 'x'}",
        "build.org.contains('a', 'b')",
        "build.org.matches(build.number)",
        "build.org.matches('(')",
        "build.org.matches('(a{100}){100}')",
        "build.org",
        "build.trusted ? 'a' : 'b'",
        "build.trusted && build.org",
        "5 || true",
        "!build.org",
        "build.number == 17",
        "build.org == null",
        "build.org in [1, 2]",
        "1 in build.properties",
        "build.properties.team > 5",
        "build.trusted || build.org > 5",
        "{'a': build.org == 5}.a",
        "build.org + 5 == 'x'",
        "build.org.x == 'x'",
        "build.org[0] == 'x'",
        "{'a': 1, 'a': 2}.size() == 1",
        "request.audiences.all(a, a > 5)",
        "request.audiences.all(a, a)",
        "request.audiences.exists(build, build == '')",
        "request.audiences.all(a, request.audiences.all(b, a == b))",
        "request.audiences.map(a, a).all(b, b == '')",
        "request.audiences.all(a, b == '')",
    ];
    let mut table = String::new();
    for source in mistakes {
        let error = compile(source).err().map_or_else(|| "ACCEPTED".to_owned(), |error| error.to_string());
        writeln!(table, "{error}\n").unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_condition_evaluates_as_cel_defines() {
    for (source, expected) in [
        ("true", Ok(true)),
        ("build.trusted && build.org == 'acme'", Ok(true)),
        ("build.trusted && build.org == 'Acme'", Ok(false)),
        ("'Acme'.lowerAscii() == build.org", Ok(true)),
        ("build.org in ['acme', 'umbrella']", Ok(true)),
        ("build.org.matches('^ac.e$') && matches(build.org, 'cm')", Ok(true)),
        ("build.org.matches('^ac$')", Ok(false)),
        ("build.org.startsWith('ac') && build.org.endsWith('me') && build.org.contains('cm')", Ok(true)),
        ("int(build.number) > 16 && string(request.lifetime) == '300'", Ok(true)),
        ("size(request.audiences) == 2 && request.audiences.size() == 2", Ok(true)),
        ("'sigstore' in request.audiences", Ok(true)),
        ("request.audiences.all(a, a.startsWith('s'))", Ok(true)),
        ("request.audiences.exists_one(a, a == 'sigstore')", Ok(true)),
        ("request.audiences.filter(a, a == 'sigstore').size() == 1", Ok(true)),
        ("request.audiences.map(a, a.size()) == [17, 8]", Ok(true)),
        ("build.properties.tier == 'secret-value'", Ok(true)),
        ("has(build.properties.team) && build.properties.team == 'platform'", Ok(false)),
        ("'tier' in build.properties && build.properties['tier'].size() > 3", Ok(true)),
        ("build.trusted ? build.org == 'acme' : false", Ok(true)),
        ("build.properties.team == 'platform'", Err(CelFailure::MissingKey)),
        ("build.properties.team != 'platform'", Err(CelFailure::MissingKey)),
        ("request.audiences[2] == 'x'", Err(CelFailure::OutOfRange)),
        ("request.lifetime / (request.lifetime - 300) == 1", Err(CelFailure::Arithmetic)),
        ("request.lifetime * 9223372036854775807 > 0", Err(CelFailure::Arithmetic)),
        ("int(build.org) == 1", Err(CelFailure::Function)),
    ] {
        assert_eq!(answer(source), expected, "{source}");
    }
}

#[test]
fn only_exactly_true_is_true() {
    // The example is a boolean; other values fail when the condition is evaluated.
    for other in ["'true'", "1", "[true]", "{'a': true}", "null"] {
        let program = compile(&format!("[true, {other}][request.lifetime == 300 ? 0 : 1]")).unwrap();
        let with = |lifetime: i64| Facts::from([("request.lifetime", Fact::Number(lifetime))]);
        assert_eq!(program.evaluate(&with(300)), Ok(true));
        assert_eq!(program.evaluate(&with(60)), Err(CelFailure::NotBoolean), "{other}");
    }
}

#[test]
fn a_failure_never_repeats_a_value() {
    for failing in ["int(build.properties.tier) == 1", "build.properties.team == ''", "request.audiences[9] == ''"] {
        let failure = answer(failing).unwrap_err();
        for text in [failure.to_string(), format!("{failure:?}")] {
            for value in ["secret-value", "tier", "team", "sigstore", "acme", "9"] {
                assert!(!text.contains(value), "{failing}: {text}");
            }
        }
    }
}

/// Source texts that grow in one direction each.
fn shapes(size: usize) -> Vec<(String, String)> {
    let ones = vec!["1"; size].join(",");
    let mut shapes: Vec<(String, String)> = [" + ", " - ", " < ", " == ", " && ", " || ", " in ", " * "]
        .into_iter()
        .map(|operator| (format!("chain of{operator}"), format!("1{}", format!("{operator}1").repeat(size))))
        .collect();
    let more = [
        ("sums", format!("1{} == 1", " + 1".repeat(size))),
        ("strings", format!("build.org{} == ''", " + build.org".repeat(size))),
        ("lists", format!("request.audiences{} == []", " + request.audiences".repeat(size))),
        ("fields", format!("build.properties{} == ''", ".a".repeat(size))),
        ("indices", format!("request.audiences{} == ''", "[0]".repeat(size))),
        ("calls", format!("build.org{} == ''", ".lowerAscii()".repeat(size))),
        ("conditionals", format!("{}true", "true ? false : ".repeat(size))),
        ("conditionals on the left", format!("{}true{}", "(".repeat(size), " ? true : false)".repeat(size))),
        ("conditionals in the middle", format!("{}true{}", "true ? ".repeat(size), " : false".repeat(size))),
        ("nots", format!("{}true", "!".repeat(size))),
        ("nots in brackets", format!("{}true{}", "!(".repeat(size), ")".repeat(size))),
        ("negations", format!("{}1{} == 1", "-(".repeat(size), ")".repeat(size))),
        ("brackets", format!("{}true{}", "(".repeat(size), ")".repeat(size))),
        ("open brackets", "(".repeat(size)),
        ("open maps", "{1: ".repeat(size)),
        ("nested lists", format!("{}1{} == []", "[".repeat(size), "]".repeat(size))),
        ("nested maps", format!("{}1{} == {{}}", "{1: ".repeat(size), "}".repeat(size))),
        ("nested calls", format!("{}build.org{} == ''", "string(".repeat(size), ")".repeat(size))),
        (
            "nested arguments",
            format!("build.org.contains({}''{}", "build.org.contains(".repeat(size), ")".repeat(size)),
        ),
        ("brackets, then depth", format!("{}1{}{} == 1", "(".repeat(30), " + 1)".repeat(30), " + 1".repeat(size))),
        ("many brackets", format!("true{}", " && ((((((true))))))".repeat(size))),
        ("a list in a loop", format!("[{ones}].all(x, x in [{ones}])")),
        ("lists made by a loop", format!("[{ones}].map(x, [{ones}]).size() == 1")),
        ("strings made by a loop", format!("build.properties.map(x, x{}).size() == 1", " + x".repeat(size))),
        ("patterns", format!("build.properties.all(x, {})", vec!["x.matches('(x+x+)+y')"; size].join(" || "))),
        ("a pattern", format!("build.org.matches('(a{{{size}}}){{{size}}}')")),
        ("classes", format!(r"build.org.matches(r'\w{{{size}}}')")),
        ("loops", vec!["build.properties.all(x, x.matches('(k|kk|a*)*b'))"; size].join(" && ")),
        ("nested loops", format!("{}true{}", "request.audiences.all(a, ".repeat(size), ")".repeat(size))),
        ("chained loops", format!("request.audiences{}.size() == 1", ".map(a, a)".repeat(size))),
    ];
    shapes.extend(more.map(|(name, source)| (name.to_owned(), source)));
    shapes
}

/// A thread's stack is 2 MiB. Conditions that pass the checks must fit many times over, also in a build without
/// optimisation. A stack overflow ends this process, and the test with it.
#[test]
fn no_condition_overflows_the_stack_or_runs_for_long() {
    let evaluate = || {
        let long = "x".repeat(1_024);
        let properties = (0..64).map(|number| (format!("{}{number}", "k".repeat(120)), long.clone())).collect();
        let audiences = vec![long; 16];
        let facts = facts(&properties, &audiences);
        let mut table = String::new();
        for size in [4, 28, 94, 250, 760, 4_000] {
            for (name, source) in shapes(size) {
                let verdict = match compile(&source) {
                    Ok(program) => {
                        let clock = SystemClock::new();
                        let _ = program.evaluate(&facts);
                        assert!(clock.monotonic() < Duration::from_secs(1), "{name} × {size}");
                        "accepted".to_owned()
                    }
                    Err(error) => error.message,
                };
                writeln!(table, "{size} × {name}: {verdict}").unwrap();
            }
        }
        table
    };
    let small = std::thread::Builder::new().stack_size(512 * 1_024).spawn(evaluate).unwrap();
    insta::assert_snapshot!(small.join().unwrap());
}

#[test]
fn brackets_in_strings_and_comments_are_text() {
    let source = format!("build.org == '{}' || true // {}", "(".repeat(100), "[".repeat(100));
    assert_eq!(answer(&source), Ok(true));
    for opening in ["\"", "'''", "\"\"\"", "r'", "r\"\"\""] {
        let closing = opening.trim_start_matches('r');
        let source = format!("build.org == {opening}{}{closing} || true", "(".repeat(100));
        assert_eq!(answer(&source), Ok(true), "{source}");
    }
    // A backslash does not escape the quote in a raw string.
    let source = format!(r"build.org == r'\' && {}true{}", "(".repeat(40), ")".repeat(40));
    assert!(compile(&source).unwrap_err().message.contains("nested"), "{source}");
}

proptest! {
    /// Any text compiles, or fails with a place in the text.
    #[test]
    fn no_text_makes_the_compiler_stumble(tokens in proptest::collection::vec(token(), 0..60)) {
        let source = tokens.concat();
        match compile(&source) {
            Ok(program) => {
                let properties = BTreeMap::new();
                let _ = program.evaluate(&facts(&properties, &[]));
            }
            Err(error) => {
                prop_assert!(error.line >= 1 && error.line <= source.split('\n').count());
                prop_assert!(error.column >= 1 && error.to_string().ends_with('^'));
            }
        }
    }
}

/// Tokens from which the texts are made.
const TOKENS: &str = "build . org build.org build.properties request.audiences request.lifetime ( ) [ ] { } , : ? && || \
                      ! - + * / % == < in 'a' \" ' ''' r' b' \\ 1 1u 1.5 0x 9999999999999999999 true null .all(x, x \
                      .map( .filter(y, .exists( has( .matches('a') .size() int( `a` // \n \t é \u{202e} 𝕏 @ # ; \0";

fn token() -> impl Strategy<Value = String> {
    let tokens: Vec<String> = TOKENS.split(' ').map(|token| format!("{token} ")).collect();
    prop_oneof![9 => proptest::sample::select(tokens), 1 => any::<char>().prop_map(String::from)]
}

#[test]
fn a_text_is_measured_before_it_is_parsed() {
    let longest = format!("true{}", " ".repeat(4_092));
    assert_eq!(answer(&longest), Ok(true));
    assert!(compile(&format!("{longest} ")).unwrap_err().message.contains("4096 bytes"));
}
