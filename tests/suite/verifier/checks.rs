//! Types, audiences, times and lifetimes of a token with a valid signature.

use buildpass::base::Seconds;
use buildpass::verifier::{ClaimForm, ProviderSpec, Requirements, TokenRefusal};
use serde_json::{Value, json};

use super::forge::{AUDIENCE, Forge, claims_with, header};
use super::{spec, verifiers, verify_one};
use crate::harness::START;

#[tokio::test]
async fn a_valid_token_of_every_algorithm_is_accepted() {
    let forge = Forge::new();
    for algorithm in ["RS256", "RS384", "RS512", "ES256", "ES384"] {
        let token = forge.token(&header(algorithm), &claims_with(json!({})));
        let verified = verify_one(spec(&forge), &token).await.unwrap();
        assert_eq!(verified.algorithm().name(), algorithm);
        assert_eq!(verified.claims().subject(), Some("repo:acme/app"));
        assert_eq!((verified.provider_name(), verified.token_id()), ("forge", Some("0191")));
    }
}

#[tokio::test]
async fn a_time_is_a_number_in_any_notation_and_its_fraction_is_cut_off() {
    let forge = Forge::new();
    let now = START.unix();
    for (notation, expires) in [
        (format!("{}", now + 300), now + 300),
        (format!("{}.9", now + 300), now + 300),
        (format!("{}e0", now + 300), now + 300),
        ("1.8000003e9".to_owned(), 1_800_000_300),
    ] {
        let payload = claims_with(json!({ "exp": "EXP" })).to_string().replace("\"EXP\"", &notation);
        let verified =
            verify_one(spec(&forge), &forge.seal("RS256", &header("RS256").to_string(), &payload)).await.unwrap();
        assert_eq!(verified.claims().expires().unix(), expires, "{notation}");
    }
}

/// Each change of one claim is rejected with a reason that names the claim.
#[tokio::test]
async fn a_standard_claim_of_the_wrong_type_is_refused_by_name() {
    let forge = Forge::new();
    let wrong = [json!(null), json!(true), json!("x"), json!(-1), json!(1e18), json!([]), json!({}), json!([1])];
    let mut table = String::new();
    for claim in ["iss", "aud", "sub", "exp", "iat", "nbf", "jti"] {
        let absent = verify_one(spec(&forge), &forge.with_claims(json!({ claim: null }))).await;
        table.push_str(&format!("{claim:4} absent: {}\n", reason_of(absent)));
        for value in &wrong {
            let payload = claims_with(json!({ claim: "VALUE" })).to_string().replace("\"VALUE\"", &value.to_string());
            let token = forge.seal("RS256", &header("RS256").to_string(), &payload);
            table.push_str(&format!("{claim:4} {value}: {}\n", reason_of(verify_one(spec(&forge), &token).await)));
        }
    }
    insta::assert_snapshot!(table);
}

fn reason_of<T>(result: Result<T, TokenRefusal>) -> String {
    result.map_or_else(|refusal| format!("{}: {refusal}", refusal.reason()), |_| "accepted".to_owned())
}

/// Checks the limits of every time to the second: `nbf − t ≤ now < exp + t`, `iat ≤ now + t`, lifetimes within their bounds.
#[tokio::test]
async fn every_time_counts_to_the_second_with_the_tolerance_on_each_side() {
    let forge = Forge::new();
    let tolerance = |seconds| ProviderSpec {
        clock_skew_tolerance: Some(Seconds::new(seconds)),
        max_token_lifetime: Some(Seconds::new(600)),
        ..spec(&forge)
    };
    let now = START.unix();
    for seconds in [0_i64, 60, 300] {
        for (times, expected) in [
            (json!({ "iat": now - 500, "nbf": now - 500, "exp": now - seconds + 1 }), "accepted"),
            (json!({ "iat": now - 500, "nbf": now - 500, "exp": now - seconds }), "expired"),
            (json!({ "iat": now, "nbf": now + seconds, "exp": now + 400 }), "accepted"),
            (json!({ "iat": now, "nbf": now + seconds + 1, "exp": now + 400 }), "not_yet_valid"),
            (json!({ "iat": now + seconds, "nbf": null, "exp": now + 400 }), "accepted"),
            (json!({ "iat": now + seconds + 1, "nbf": null, "exp": now + 400 }), "issued_ahead"),
            (json!({ "iat": now - 100, "nbf": null, "exp": now + 500 }), "accepted"),
            (json!({ "iat": now - 100, "nbf": null, "exp": now + 501 }), "lifetime"),
            (json!({ "iat": now, "nbf": null, "exp": now }), if seconds == 0 { "expired" } else { "lifetime" }),
            (json!({ "iat": now + seconds, "nbf": null, "exp": now + 600 + seconds }), "accepted"),
        ] {
            let u64_seconds = u64::try_from(seconds).unwrap();
            let result = verify_one(tolerance(u64_seconds), &forge.with_claims(times.clone())).await;
            let text = result.map_or_else(|refusal| refusal.reason(), |_| "accepted");
            assert_eq!(text, expected, "tolerance {seconds}: {times}");
        }
    }
}

#[tokio::test]
async fn an_audience_is_the_tokens_only_one_unless_several_are_allowed() {
    let forge = Forge::new();
    let bare = || ProviderSpec { required_audience: None, ..spec(&forge) };
    let only = Requirements { audience: Some(AUDIENCE), ..Requirements::default() };
    let several = Requirements { several_audiences: true, ..only };
    let cases: [(Value, [&str; 3]); 7] = [
        (json!(AUDIENCE), ["accepted", "accepted", "accepted"]),
        (json!([AUDIENCE]), ["accepted", "accepted", "accepted"]),
        (json!("other"), ["accepted", "audience", "audience"]),
        (json!("Registry.example"), ["accepted", "audience", "audience"]),
        (json!([]), ["audience_count", "audience_count", "audience_count"]),
        (json!([AUDIENCE, "other"]), ["audience_count", "audience_count", "accepted"]),
        (json!(["other", "another"]), ["audience_count", "audience_count", "audience"]),
    ];
    for (audience, expected) in cases {
        let token = forge.with_claims(json!({ "aud": audience }));
        for (requirements, expected) in [Requirements::default(), only, several].iter().zip(expected) {
            let result = verifiers(vec![("forge", bare())]).0.verify(&token, requirements).await;
            assert_eq!(
                result.map_or_else(|refusal| refusal.reason(), |_| "accepted"),
                expected,
                "{audience} {requirements:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_required_audience_that_replaces_the_providers_rejects_tokens_for_the_providers() {
    let forge = Forge::new();
    let both = Requirements { audience: Some("service"), ..Requirements::default() };
    let service = Requirements { instead_of_providers: true, ..both };
    let (verifiers, _) = verifiers(vec![("forge", spec(&forge))]);
    for (audience, requirements, expected) in [
        (AUDIENCE, service, "audience"),
        ("service", service, "accepted"),
        ("service", both, "audience"),
        (AUDIENCE, both, "audience"),
    ] {
        let result = verifiers.verify(&forge.with_claims(json!({ "aud": audience })), &requirements).await;
        assert_eq!(
            result.map_or_else(|refusal| refusal.reason(), |_| "accepted"),
            expected,
            "{audience} {requirements:?}"
        );
    }
}

#[tokio::test]
async fn a_caller_may_require_claims_of_given_types() {
    let forge = Forge::new();
    let requirements =
        Requirements { typed: &[("nbf", ClaimForm::Integer), ("jti", ClaimForm::Text)], ..Requirements::default() };
    let now = START.unix();
    for (changed, expected) in [
        (json!({}), "accepted"),
        (json!({ "nbf": null }), "claim_missing"),
        (json!({ "nbf": now as f64 + 0.5 }), "claim_type"),
        (json!({ "jti": null }), "claim_missing"),
        (json!({ "jti": "" }), "claim_type"),
    ] {
        let result =
            verifiers(vec![("forge", spec(&forge))]).0.verify(&forge.with_claims(changed.clone()), &requirements).await;
        assert_eq!(result.map_or_else(|refusal| refusal.reason(), |_| "accepted"), expected, "{changed}");
    }
}

#[tokio::test]
async fn a_required_claim_must_be_present_and_not_null() {
    let forge = Forge::new();
    let wanting = || ProviderSpec { required_claims: Some(vec!["team".to_owned()]), ..spec(&forge) };
    for (payload, expected) in [
        (claims_with(json!({ "team": "x" })).to_string(), "accepted"),
        (claims_with(json!({ "team": "" })).to_string(), "accepted"),
        (claims_with(json!({})).to_string(), "required_claim"),
        (claims_with(json!({ "team": "N" })).to_string().replace("\"N\"", "null"), "required_claim"),
    ] {
        let token = forge.seal("RS256", &header("RS256").to_string(), &payload);
        let text = verify_one(wanting(), &token).await.map_or_else(|refusal| refusal.reason(), |_| "accepted");
        assert_eq!(text, expected, "{payload}");
    }
}

#[tokio::test]
async fn a_cached_token_is_checked_again_when_time_has_passed() {
    let forge = Forge::new();
    let (verifiers, clock) = verifiers(vec![("forge", spec(&forge))]);
    let token = forge.good_token();
    let first = verifiers.verify(&token, &Requirements::default()).await.unwrap();
    let again = verifiers.verify(&token, &Requirements::default()).await.unwrap();
    assert_eq!(first.digest(), again.digest());
    let other = Requirements { audience: Some("other"), instead_of_providers: true, ..Requirements::default() };
    assert_eq!(verifiers.verify(&token, &other).await.unwrap_err().reason(), "audience");
    clock.advance(360);
    assert_eq!(verifiers.verify(&token, &Requirements::default()).await.unwrap_err().reason(), "expired");
}

#[tokio::test]
async fn an_explanation_shows_every_check_with_the_expected_and_the_actual_value() {
    let forge = Forge::new();
    let (verifiers, _) = verifiers(vec![("forge", spec(&forge))]);
    let (result, good) = verifiers.explain(&forge.good_token(), &Requirements::default()).await;
    assert!(result.is_ok() && good.accepted());
    let (result, bad) =
        verifiers.explain(&forge.with_claims(json!({ "aud": "other" })), &Requirements::default()).await;
    assert!(result.is_err() && !bad.accepted());
    let good = good.to_string();
    let good = good.lines().filter(|line| !line.contains(" bytes")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(format!("{good}\n\n{}", bad.to_string().lines().last().unwrap()));
}
