//! `demo`: the whole road of a build's token, told step by step, over real sockets. Everything lives in a temporary
//! folder that is removed at the end, on signals too; the tree that it is run in stays as it is.

mod cloud;
mod market;
mod people;
mod story;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use clap::Args;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::market::Market;
use self::people::{CiServer, Job, Registered};
use self::story::Story;
use super::failure::Failure;
use super::serve::serve;
use super::signals::Signals;
use super::{output, shell};
use crate::app::App;
use crate::base::{SystemClock, SystemEntropy};
use crate::config::{Config, Flags, Sources};
use crate::http::{Limits, Listeners};

/// Where the demo listens if nobody else does.
const PORT: u16 = 8080;

/// Walk through a token's life, end to end
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass demo --exit")]
pub(super) struct Demo {
    /// End after the last step; else keep serving until Ctrl-C, with curl lines to paste
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
        // The folder outlives everything that is dropped at a signal, and is removed with whatever came of it.
        let told = tokio::select! {
            told = tell(&folder, self.exit) => told,
            () = signals.asked_to_end() => Ok(()),
        };
        let removed = folder.close();
        told?;
        Ok(removed?)
    }
}

async fn tell(folder: &TempDir, exit: bool) -> Result<(), Failure> {
    let listener = listener().await?;
    let address = listener.local_addr()?;
    let file = folder.path().join("buildpass.toml");
    std::fs::write(&file, market::CONFIGURATION)?;
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
        "It listens on http://{address}. Its configuration says who may pull from a registry, and nothing"
    ))?;
    story.say("else; everything it keeps is one folder:")?;
    story.say(&format!("{} (removed at the end).", folder.path().display()))?;
    story.say("It made its signing keys, RS256 and ES256, each with a successor already published.")?;

    let (stop, stopped) = oneshot::channel::<()>();
    let listeners = Listeners { public: listener, admin: None };
    let limits = Limits::of(config.server.max_connections);
    let server = async {
        serve(&app, listeners, limits, async {
            let _stopped_or_dropped = stopped.await;
        })
        .await;
        Ok::<(), Failure>(())
    };
    let acts = async {
        let ci = act(&app, &mut story).await?;
        if exit {
            output::line("")?;
            output::line("That was the whole road. Without --exit the demo goes on serving.")?;
        } else {
            invite(&ci, app.issuer().url().as_str()).await?;
            std::future::pending::<()>().await;
        }
        drop(stop);
        Ok(())
    };
    tokio::try_join!(server, acts)?;
    Ok(())
}

async fn listener() -> Result<TcpListener, Failure> {
    let at = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match at(PORT).await {
        Ok(listener) => Ok(listener),
        Err(_) => Ok(at(0).await?),
    }
}

async fn act(app: &Arc<App>, story: &mut Story) -> Result<CiServer, Failure> {
    let issuer = app.issuer().url().as_str();
    story
        .step("The operator makes a client for the CI server", Some("$ buildpass clients create demo-ci --org acme"))?;
    let ci = CiServer::create(app, issuer).await?;
    story.fact("client_id", ci.id())?;
    story.say("Its secret was shown once; the database holds a digest.")?;

    story.step("The CI server starts build 17 of acme/app and registers it", Some("POST /api/v1/builds"))?;
    let build = ci.register(17, "30m").await?;
    story.fact("build", &build.id)?;
    story.fact("subject", build.subject.as_deref().unwrap_or("none"))?;

    story.step("The worker puts the answer's env into the job's environment", None)?;
    for name in build.env.keys().filter(|name| name.starts_with("BUILDPASS_")) {
        story.say(&format!("{name}=…"))?;
    }
    story.say("The same values under GitHub's and Vela's names, so that their unmodified clients work too.")?;

    story.step("The job asks what it would get, and gets no token yet", Some("GET …/id_token?audience=…&preview=1"))?;
    let job = build.job()?;
    story.fact("granted by", &job.preview(cloud::AUDIENCE).await?)?;

    let fetch = format!("$ buildpass token request --audience {}", cloud::AUDIENCE);
    story.step("The job fetches a token", Some(&fetch))?;
    let token = job.fetch(cloud::AUDIENCE).await?;
    story.fact("token", &shortened(token.expose_secret()))?;
    story.say("Its record was on disk before it left.")?;

    story.step("A cloud, which knows nothing but the issuer's URL, checks it", None)?;
    let keys = cloud::discover(issuer).await?;
    story.say(&format!("GET {issuer}/.well-known/openid-configuration says where the keys are;"))?;
    story.say(&format!("GET {} holds {} keys.", keys.url, keys.count()))?;
    let claims = cloud::verify(token.expose_secret(), &keys, issuer)?;
    story.say("Signature, issuer, audience and time are right: accepted. The token says:")?;
    story.quote(&output::pretty(&claims)?)?;

    story
        .step("Two tokens that the cloud must not take: one with a letter changed, and one for somebody else", None)?;
    story.fact("changed", &cloud::refusal(&cloud::spoiled(token.expose_secret()), &keys, issuer)?)?;
    let other = job.fetch("https://other.example.com").await?;
    story.fact("not for it", &cloud::refusal(other.expose_secret(), &keys, issuer)?)?;

    let market = trade(app, issuer, &job, story).await?;
    let key = market.store_key(&job).await?;

    story.step("The build ends", Some("$ buildpass builds finish ID"))?;
    ci.finish(&build.id).await?;
    let lives = if market.is_active(&key).await? { "still good" } else { "dead" };
    story.fact("its key", lives)?;
    story.say("Whoever kept the request token tries once more:")?;
    story.fact("answer", &job.refused(cloud::AUDIENCE).await?)?;
    Ok(ci)
}

/// The second half of the road: from a token to a credential, to a package, and back to the build.
async fn trade<'a>(app: &'a Arc<App>, issuer: &str, job: &Job, story: &mut Story) -> Result<Market<'a>, Failure> {
    story.step(
        "The operator says what builds may have at package registries",
        Some("$ buildpass exchange apply rules.toml"),
    )?;
    let market = Market::open(app, issuer).await?;
    story.say("A role and a publisher of RubyGems, a policy of NuGet, a grant of a store: for builds of acme/app.")?;

    story.step("The job brings one token to each door, and holds no password", Some("POST …/assume_role, …"))?;
    let (key, spent) = market.trade(job, story).await?;

    story.step("It pushes a gem with the key; the gem server asks what the key is for", Some("$ gem push app.gem"))?;
    market.push(&key, story).await?;

    story.step("Somebody asks where the gem came from", Some("$ buildpass provenance app 1.2.0"))?;
    market.provenance(story).await?;

    story.step("Two tokens that RubyGems' door must not take: one that was traded, and one for the store", None)?;
    market.refusals(job, &spent, story).await?;

    story.step(
        "The role is changed to another repository's, and the operator asks what it says of this build's token",
        Some("$ buildpass exchange explain --role rg_oidc_akr_… --token -"),
    )?;
    market.explain(job, story).await?;
    Ok(market)
}

/// Lines to paste while the demo goes on serving, with a build that runs.
async fn invite(ci: &CiServer, issuer: &str) -> Result<(), Failure> {
    let build: Registered = ci.register(18, "12h").await?;
    output::line("")?;
    output::heading("It goes on serving until Ctrl-C. To try it yourself, in another terminal:")?;
    output::line("")?;
    output::line("# you are build 18 of acme/app")?;
    for (name, value) in build.env.iter().filter(|(name, _)| name.starts_with("BUILDPASS_")) {
        output::line(&shell::export(name, value))?;
    }
    output::line("# what would I get? and then a token")?;
    let bearer = r#"-H "Authorization: Bearer $BUILDPASS_ID_TOKEN_REQUEST_TOKEN""#;
    output::line(&format!(r#"curl -s {bearer} "$BUILDPASS_ID_TOKEN_REQUEST_URL&audience=x&preview=1""#))?;
    output::line(&format!(r#"curl -s {bearer} "$BUILDPASS_ID_TOKEN_REQUEST_URL&audience=x""#))?;
    output::line("# what verifiers read")?;
    output::line(&format!("curl -s {issuer}/.well-known/openid-configuration"))?;
    output::line(&format!("curl -s {issuer}/.well-known/jwks"))?;
    output::line("# and as the CI server: the build ends, and its tokens die")?;
    let finish = format!("{issuer}/api/v1/builds/{}/finish", build.id);
    let credentials = shell::quoted(&ci.credentials());
    let body = r#"-H 'Content-Type: application/json' -d '{"status":"success"}'"#;
    output::line(&format!("curl -s -u {credentials} {body} {finish}"))?;
    Ok(())
}

/// Enough of a token to see that it is one.
fn shortened(token: &str) -> String {
    token.chars().take(24).chain(['…']).collect()
}
