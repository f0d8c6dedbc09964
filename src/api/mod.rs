//! The unified session API: `/v1`. Handlers show folds of the log and hand commands to the rules; no rule is here.

pub mod agents;
pub mod articles;
pub mod auth;
pub mod bans;
pub mod calls;
pub mod channels;
pub mod customers;
pub mod dialplans;
pub mod events;
pub mod extract;
pub mod idempotent;
pub mod keys;
pub mod notices;
pub mod outcomes;
pub mod pcap;
pub mod problem;
pub mod rate;
mod reach;
pub mod recordings;
pub mod reports;
pub mod requests;
pub mod robot;
pub mod sessions;
pub mod signalling;
pub mod stream;
pub mod subtitles;
pub mod suggestions;
pub mod supervision;
pub mod system;
pub mod tickets;
pub mod trunks;
pub mod turns;
pub mod visitor;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json, Router, middleware};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::control::event::Fact;
use crate::control::words::agent::{AgentCommand, Reply};
use crate::control::words::directory::Directory;
use crate::control::words::{AgentId, QueueId};
use crate::control_handle::ControlHandle;
use crate::plans::Desk;
use crate::store::Store;
use crate::store::journal::Journal;
use crate::vault::Shelf;
use problem::Problem;
use rate::Limits;
use requests::Inside;
use turns::Turns;
use visitor::VisitorSecret;

/// The longest body of a request, in bytes.
pub const BODY_BYTES: usize = 1 << 20;

/// The longest body of a request that publishes plans, in bytes: a folder of some hundred files.
const PLANS_BYTES: usize = 16 << 20;

/// Chat channels by name, each with its secret if it has one.
pub type ChannelSecrets = BTreeMap<String, Option<Vec<u8>>>;

/// What handlers work with; cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// The tables.
    pub store: Store,
    /// The log.
    pub journal: Journal,
    /// The rules.
    pub control: ControlHandle,
    /// The configuration.
    pub directory: watch::Receiver<Arc<Directory>>,
    /// The chat channels of the configuration, with the secrets of those whose adapters sign.
    pub channels: watch::Receiver<Arc<ChannelSecrets>>,
    /// The recordings.
    pub recordings: Shelf,
    /// The scorecards in use.
    pub scorecards: Arc<[outcomes::Scorecard]>,
    /// The metrics.
    pub registry: Arc<Registry>,
    /// What visitors' tokens are signed with.
    pub visitors: VisitorSecret,
    /// How fast callers may ask.
    pub limits: Arc<Limits>,
    /// Whose turn it is to change a thing.
    pub turns: Turns,
    /// Who publishes plans and says notices.
    pub plans: Desk,
}

impl ApiState {
    /// The configuration as it is now.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.borrow().clone()
    }

    /// Carries out a command and waits until what follows from it can be read.
    ///
    /// # Errors
    /// What the rules refuse; 503 when the store lies behind.
    pub async fn command(&self, command: AgentCommand) -> Result<Reply, Problem> {
        let reply = self.control.command(command).await?;
        self.settled().await?;
        Ok(reply)
    }

    /// Waits until all that was handed to the log before can be read.
    ///
    /// # Errors
    /// 503 when the store lies behind.
    pub async fn settled(&self) -> Result<(), Problem> {
        self.store.record(&self.journal, Vec::new()).await?;
        Ok(())
    }

    /// Writes facts down and waits until they can be read.
    ///
    /// # Errors
    /// 503 when the log or the store does not answer.
    pub async fn record(&self, facts: Vec<Fact>) -> Result<(), Problem> {
        self.store.record(&self.journal, extract::events(facts)).await?;
        Ok(())
    }

    /// An agent by id or user name.
    ///
    /// # Errors
    /// 404 `agent_unknown`.
    pub fn agent(&self, text: &str) -> Result<AgentId, Problem> {
        let directory = self.directory();
        let id = text.parse().unwrap_or_else(|_| AgentId::of_name(text));
        if directory.agents.contains_key(&id) { Ok(id) } else { Err(Problem::unknown("agent_unknown", text)) }
    }

    /// A queue by id or name.
    ///
    /// # Errors
    /// 404 `queue_unknown`.
    pub fn queue(&self, text: &str) -> Result<QueueId, Problem> {
        let directory = self.directory();
        let id = text.parse().unwrap_or_else(|_| QueueId::of_name(text));
        if directory.queues.contains_key(&id) { Ok(id) } else { Err(Problem::unknown("queue_unknown", text)) }
    }
}

#[derive(OpenApi)]
#[openapi(info(title = "Hotline", description = "One session API for calls and chats"), components(schemas(Problem)), security(("key" = [])))]
struct Document;

/// Routes that want an API key.
fn keyed() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().merge(people()).merge(contacts()).merge(work()).merge(folders())
}

fn people() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(customers::list, customers::make))
        .routes(routes!(customers::lookup))
        .routes(routes!(customers::one, customers::change))
        .routes(routes!(customers::identities, customers::link))
        .routes(routes!(customers::timeline))
        .routes(routes!(customers::tag, customers::untag))
        .routes(routes!(customers::activity))
        .routes(routes!(agents::list))
        .routes(routes!(agents::one))
        .routes(routes!(agents::set_state))
        .routes(routes!(agents::ready))
        .routes(routes!(agents::offers))
        .routes(routes!(agents::offer))
        .routes(routes!(agents::accept))
        .routes(routes!(agents::reject))
        .routes(routes!(agents::queues))
        .routes(routes!(agents::queue))
}

fn contacts() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(sessions::conversations))
        .routes(routes!(sessions::conversation))
        .routes(routes!(sessions::conversation_messages))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::one))
        .routes(routes!(sessions::messages, sessions::say))
        .routes(routes!(sessions::trace))
        .routes(routes!(sessions::slots))
        .routes(routes!(sessions::disposition))
        .routes(routes!(sessions::close))
        .routes(routes!(sessions::transfer))
        .routes(routes!(supervision::supervise, supervision::leave))
        .routes(routes!(supervision::consult, supervision::cancel))
        .routes(routes!(supervision::conference))
        .routes(routes!(supervision::mask))
        .routes(routes!(supervision::complete))
        .routes(routes!(calls::list, calls::originate))
        .routes(routes!(calls::one))
        .routes(routes!(calls::legs))
        .routes(routes!(trunks::list))
        .routes(routes!(signalling::list))
        .routes(routes!(signalling::capture))
        .routes(routes!(recordings::list))
        .routes(routes!(recordings::one))
        .routes(routes!(recordings::audio))
        .routes(routes!(recordings::certificate))
        .routes(routes!(recordings::peaks))
        .routes(routes!(recordings::transcript))
        .routes(routes!(channels::inbound))
        .routes(routes!(channels::let_in))
        .routes(routes!(channels::dead_letters))
}

fn work() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(tickets::list, tickets::make))
        .routes(routes!(tickets::one, tickets::change))
        .routes(routes!(tickets::comments, tickets::comment))
        .routes(routes!(suggestions::list))
        .routes(routes!(suggestions::one))
        .routes(routes!(suggestions::accept))
        .routes(routes!(suggestions::dismiss))
        .routes(routes!(outcomes::left_messages))
        .routes(routes!(outcomes::left_message))
        .routes(routes!(outcomes::callbacks))
        .routes(routes!(outcomes::callback, outcomes::change_callback))
        .routes(routes!(outcomes::evaluations))
        .routes(routes!(outcomes::evaluation))
        .routes(routes!(outcomes::scorecards))
        .routes(routes!(reports::sessions))
        .routes(routes!(reports::containment))
        .routes(routes!(reports::dispositions))
        .routes(routes!(robot::bot))
        .routes(routes!(robot::arms))
        .routes(routes!(events::list))
        .routes(routes!(events::sse))
        .routes(routes!(bans::list))
        .routes(routes!(bans::lift))
        .routes(routes!(dialplans::list))
        .routes(routes!(dialplans::one))
        .routes(routes!(dialplans::versions, dialplans::draft))
        .routes(routes!(dialplans::version))
        .routes(routes!(dialplans::lint))
        .routes(routes!(dialplans::publish_version))
        .routes(routes!(dialplans::canary, dialplans::stop))
        .routes(routes!(dialplans::rollback))
        .routes(routes!(articles::list))
        .routes(routes!(articles::one, articles::put, articles::drop_one))
        .routes(routes!(articles::ask))
        .routes(routes!(articles::gaps))
        .routes(routes!(notices::list, notices::set))
        .routes(routes!(notices::clear))
        .routes(routes!(keys::list, keys::make))
        .routes(routes!(keys::revoke))
}

/// A folder of plans is more than other requests bring.
fn folders() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(dialplans::publish)).layer(DefaultBodyLimit::max(PLANS_BYTES))
}

/// Routes that want a visitor's token.
fn visitors() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(channels::write, channels::read))
}

/// WebSockets: the token comes in their first frame.
fn sockets() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(stream::open)).routes(routes!(stream::visit))
}

/// Routes for everybody.
fn open() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(system::healthz)).routes(routes!(system::readyz)).routes(routes!(system::metrics))
}

/// The whole API.
pub fn router(state: ApiState) -> Router {
    let keyed = keyed()
        .layer(middleware::from_fn_with_state(state.clone(), idempotent::replay))
        .layer(middleware::from_fn_with_state(state.clone(), rate::limit))
        .layer(middleware::from_fn_with_state(state.clone(), auth::admit));
    let visitors = visitors()
        .layer(middleware::from_fn_with_state(state.clone(), rate::limit))
        .layer(middleware::from_fn_with_state(state.clone(), visitor::admit));
    let all = OpenApiRouter::with_openapi(Document::openapi()).merge(keyed).merge(visitors).merge(open());
    let (router, mut document) = all.split_for_parts();
    let (sockets, of_sockets) = sockets().split_for_parts();
    document.merge(of_sockets);
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    document.components.get_or_insert_default().add_security_scheme("key", bearer);
    let document = Arc::new(document);
    let nowhere = async || Problem::new(StatusCode::NOT_FOUND, "route_unknown", "no such route: see /v1/openapi.json");
    let wrong =
        async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this route knows other methods: see /v1/openapi.json");
    let router: Router = router
        .route("/v1/openapi.json", get(async move || Json(document.as_ref().clone()).into_response()))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(problem::number))
        .with_state(state.clone());
    let sockets = sockets.layer(Extension(Inside::new(router.clone()))).layer(middleware::from_fn(problem::number)).with_state(state);
    router.merge(sockets)
}
