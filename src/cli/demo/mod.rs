//! `demo`: walks through a token's life step by step, over real sockets. The demo keeps everything in a temporary
//! folder that is removed at the end, also after a signal, and never changes the working directory.

mod ci;
mod cloud;
mod registries;
mod story;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use clap::Args;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::ci::{CiServer, Job, Registered};
use self::registries::Registries;
use self::story::Story;
use super::failure::Failure;
use super::open_files::OpenFiles;
use super::serve::{limits, serve};
use super::signals::Signals;
use super::{output, shell};
use crate::app::App;
use crate::base::{SystemClock, SystemEntropy};
use crate::config::{Config, Flags, Sources};
use crate::http::Listeners;

/// Port that the demo listens on if the port is free; otherwise the system picks a port.
const PORT: u16 = 8080;

/// Issue, verify, exchange and revoke tokens, step by step
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass demo --exit")]
pub(super) struct Demo {
    /// Exit after the last step; by default the demo keeps serving until Ctrl-C and prints curl lines to try
    #[arg(long)]
    exit: bool,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut signals = Signals::listen()?;
        let folder = tempfile::Builder::new()
            .prefix("buildpass-demo-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()?;
        // The folder is removed only after the server has stopped, also after a signal or a failure.
        let done = tokio::select! {
            done = play(&folder, self.exit) => done,
            () = signals.stop_requested() => Ok(()),
        };
        let removed = folder.close();
        done?;
        Ok(removed?)
    }
}

async fn play(folder: &TempDir, exit: bool) -> Result<(), Failure> {
    let listener = listener().await?;
    let address = listener.local_addr()?;
    let file = folder.path().join("buildpass.toml");
    std::fs::write(&file, registries::CONFIGURATION)?;
    let config = Config::load(&Sources {
        file: Some(file),
        environment: BTreeMap::new(),
        working_dir: folder.path().to_owned(),
        flags: Flags { listen: Some(address.to_string()), admin_listen: Some(String::new()), issuer: None },
    })?;
    output::heading(
        "buildpass demo: one build, from the CI server to a cloud and to package registries, over real sockets",
    )?;
    let mut story = Story::default();
    story.step("An operator starts the issuer", Some("$ buildpass serve"))?;
    let app = App::start(&config, address, Arc::new(SystemClock::new()), Arc::new(SystemEntropy)).await?;
    let app = Arc::new(app);
    story.say(&format!(
        "It listens on http://{address}. Its configuration holds one access policy of a registry, and nothing"
    ))?;
    story.say("else. It keeps everything in one folder:")?;
    story.say(&format!("{} (removed at the end).", folder.path().display()))?;
    story.say("It created its signing keys, RS256 and ES256, each with a successor that is already published.")?;

    let (stop, stopped) = oneshot::channel::<()>();
    let listeners = Listeners { public: listener, admin: None };
    let limits = limits(&config, OpenFiles::raise());
    let server = async {
        serve(&app, listeners, limits, async {
            let _stopped = stopped.await;
        })
        .await;
        Ok::<(), Failure>(())
    };
    let steps = async {
        let ci = run_build(&app, &mut story).await?;
        if exit {
            output::line("")?;
            output::line("That was the whole walk. Without --exit the demo keeps serving.")?;
        } else {
            print_curl_lines(&ci, app.issuer().url().as_str()).await?;
            std::future::pending::<()>().await;
        }
        drop(stop);
        Ok(())
    };
    tokio::try_join!(server, steps)?;
    Ok(())
}

async fn listener() -> Result<TcpListener, Failure> {
    let at = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match at(PORT).await {
        Ok(listener) => Ok(listener),
        Err(_) => Ok(at(0).await?),
    }
}

async fn run_build(app: &Arc<App>, story: &mut Story) -> Result<CiServer, Failure> {
    let issuer = app.issuer().url().as_str();
    story.step(
        "The operator creates a client for the CI server",
        Some("$ buildpass clients create demo-ci --org acme"),
    )?;
    let ci = CiServer::create(app, issuer).await?;
    story.fact("client_id", ci.id())?;
    story.say("Its secret was printed once; the database holds a digest.")?;

    story.step("The CI server starts build 17 of acme/app and registers it", Some("POST /api/v1/builds"))?;
    let build = ci.register(17, "30m").await?;
    story.fact("build", &build.id)?;
    story.fact("subject", build.subject.as_deref().unwrap_or("none"))?;

    story.step("The worker sets the variables of the response in the job", None)?;
    for name in build.env.keys().filter(|name| name.starts_with("BUILDPASS_")) {
        story.say(&format!("{name}=…"))?;
    }
    story.say("The same values are set under the names of GitHub and Vela, so that their clients work unchanged.")?;

    story.step("The job asks for a preview, which issues no token", Some("GET …/id_token?audience=…&preview=1"))?;
    let job = build.job()?;
    story.fact("allowed by", &job.preview(cloud::AUDIENCE).await?)?;

    let fetch = format!("$ buildpass token request --audience {}", cloud::AUDIENCE);
    story.step("The job requests a token", Some(&fetch))?;
    let token = job.fetch(cloud::AUDIENCE).await?;
    story.fact("token", &shortened(token.expose_secret()))?;
    story.say("Its record was on disk before the token was sent.")?;

    story.step("A cloud that knows only the issuer's URL verifies the token", None)?;
    let keys = cloud::discover(issuer).await?;
    story.say(&format!("GET {issuer}/.well-known/openid-configuration names the URL of the keys;"))?;
    story.say(&format!("GET {} holds {} keys.", keys.url, keys.count()))?;
    let claims = cloud::verify(token.expose_secret(), &keys, issuer)?;
    story.say("Signature, issuer, audience and times are valid: accepted. The claims are:")?;
    story.quote(&output::pretty(&claims)?)?;

    story.step("The cloud rejects two tokens: one that was tampered with, and one for another audience", None)?;
    story.fact("tampered", &cloud::refusal(&cloud::tampered(token.expose_secret()), &keys, issuer)?)?;
    let other = job.fetch("https://other.example.com").await?;
    story.fact("elsewhere", &cloud::refusal(other.expose_secret(), &keys, issuer)?)?;

    let registries = exchange(app, issuer, &job, story).await?;
    let key = registries.store_key(&job).await?;

    story.step("The build finishes", Some("$ buildpass builds finish ID"))?;
    ci.finish(&build.id).await?;
    let state = if registries.is_active(&key).await? { "still active" } else { "revoked" };
    story.fact("its key", state)?;
    story.say("The request token no longer works either:")?;
    story.fact("answer", &job.refused(cloud::AUDIENCE).await?)?;
    Ok(ci)
}

/// Runs the second half of the demo: from a token to a credential, from the credential to a package, and from the
/// package back to the build.
async fn exchange<'a>(
    app: &'a Arc<App>,
    issuer: &str,
    job: &Job,
    story: &mut Story,
) -> Result<Registries<'a>, Failure> {
    story.step(
        "The operator applies rules: which builds get credentials for package registries",
        Some("$ buildpass exchange apply rules.toml"),
    )?;
    let registries = Registries::open(app, issuer).await?;
    story.say(
        "The rules hold a RubyGems role and trusted publisher, a NuGet trust policy and a grant, all for acme/app.",
    )?;

    story.step("The job exchanges one token in each flow, without any password", Some("POST …/assume_role, …"))?;
    let (key, redeemed) = registries.exchange_all(job, story).await?;

    story.step("The job pushes a gem with the key; the gem server introspects the key", Some("$ gem push app.gem"))?;
    registries.push(&key, story).await?;

    story.step("A reader of the gem asks for its provenance", Some("$ buildpass provenance app 1.2.0"))?;
    registries.provenance(story).await?;

    story.step("RubyGems' flow rejects two tokens: one that was redeemed already, and one for the store", None)?;
    registries.refusals(job, &redeemed, story).await?;

    story.step(
        "The role is changed to another repository, and the operator asks why the role rejects the token",
        Some("$ buildpass exchange explain --role rg_oidc_akr_… --token -"),
    )?;
    registries.explain(job, story).await?;
    Ok(registries)
}

/// Registers a build, and prints curl lines to try with the build while the demo keeps serving.
async fn print_curl_lines(ci: &CiServer, issuer: &str) -> Result<(), Failure> {
    let build: Registered = ci.register(18, "12h").await?;
    output::line("")?;
    output::heading("The demo keeps serving until Ctrl-C. To try it yourself, in another terminal:")?;
    output::line("")?;
    output::line("# you are build 18 of acme/app")?;
    for (name, value) in build.env.iter().filter(|(name, _)| name.starts_with("BUILDPASS_")) {
        output::line(&shell::export(name, value))?;
    }
    output::line("# a preview, and then a token")?;
    let bearer = r#"-H "Authorization: Bearer $BUILDPASS_ID_TOKEN_REQUEST_TOKEN""#;
    output::line(&format!(r#"curl -s {bearer} "$BUILDPASS_ID_TOKEN_REQUEST_URL&audience=x&preview=1""#))?;
    output::line(&format!(r#"curl -s {bearer} "$BUILDPASS_ID_TOKEN_REQUEST_URL&audience=x""#))?;
    output::line("# what verifiers read")?;
    output::line(&format!("curl -s {issuer}/.well-known/openid-configuration"))?;
    output::line(&format!("curl -s {issuer}/.well-known/jwks"))?;
    output::line("# as the CI server: finish the build, which revokes its tokens")?;
    let finish = format!("{issuer}/api/v1/builds/{}/finish", build.id);
    let credentials = shell::quoted(&ci.credentials());
    let body = r#"-H 'Content-Type: application/json' -d '{"status":"success"}'"#;
    output::line(&format!("curl -s -u {credentials} {body} {finish}"))?;
    Ok(())
}

/// Shortens a token for printing.
fn shortened(token: &str) -> String {
    token.chars().take(24).chain(['…']).collect()
}
