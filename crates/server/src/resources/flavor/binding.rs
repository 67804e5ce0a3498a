//! Which profiles a flavor has, who serves it next, and who serves at all.

use super::{FLAVOR, PROVIDERS, Provider, next_provider};
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::extension::{Answer, Call};
use crate::fault::Fault;
use crate::p;
use crate::policy;
use crate::request::Rq;
use crate::store;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

type Answered<'a> = BoxFuture<'a, Result<Answer, Fault>>;

struct Pair<'a> {
    rq: Rq<'a>,
    flavor: &'a str,
    profile: &'a str,
}

async fn flavor(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<Body, Stop> {
    let found = store::get(rq, tx, &FLAVOR, id).await?;
    found.ok_or_else(|| Fault::FlavorNotFound { flavor_id: id.into() }.into())
}

fn part(call: &Call, at: usize) -> String {
    call.path.get(at).cloned().unwrap_or_default()
}

/// `POST /v2.0/flavors/{flavor_id}/service_profiles`
pub fn bind(rq: Rq<'_>, call: Call) -> Answered<'_> {
    Box::pin(async move {
        let named = call.body.get("service_profile").and_then(|profile| profile.get("id"));
        let Some(profile) = named.and_then(Value::as_str) else {
            let text = "Unable to find 'service_profile' in request body".to_string();
            return Err(Fault::BadRequest { text });
        };
        let flavor = part(&call, 0);
        let pair = Pair { rq, flavor: &flavor, profile };
        rq.app.write(bind_in, &pair).await.map_err(Stop::into_fault)?;
        // Upstream shows the id of the flavor under the name of the profile.
        Ok(Answer { status: 201, body: Some(json!({"service_profile": {"id": flavor}})) })
    })
}

async fn bind_in(tx: &mut Tx, pair: &Pair<'_>) -> Result<(), Stop> {
    let target = flavor(pair.rq, tx, pair.flavor).await?;
    policy::enforce_rule(pair.rq, tx, "create_flavor_service_profile", &target).await?;
    let (sp_id, fl_id) = (pair.profile.to_string(), pair.flavor.to_string());
    let there = tx.opt("SELECT 1 FROM serviceprofiles WHERE id = ?", p![pair.profile]).await?;
    if there.is_none() {
        return Err(Fault::ServiceProfileNotFound { sp_id }.into());
    }
    let sql = "INSERT INTO flavorserviceprofilebindings (service_profile_id, flavor_id) VALUES (?, ?)";
    match tx.exec(sql, p![pair.profile, pair.flavor]).await {
        Err(Stop::Duplicate(_)) => Err(Fault::FlavorServiceProfileBindingExists { sp_id, fl_id }.into()),
        Err(other) => Err(other),
        Ok(_) => Ok(()),
    }
}

/// `GET /v2.0/flavors/{flavor_id}/service_profiles/{id}`: that they belong together, of which upstream shows nothing.
pub fn bound(rq: Rq<'_>, call: Call) -> Answered<'_> {
    Box::pin(async move {
        let (flavor, profile) = (part(&call, 0), part(&call, 1));
        let pair = Pair { rq, flavor: &flavor, profile: &profile };
        let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
        bound_in(&mut tx, &pair).await.map_err(Stop::into_fault)?;
        Ok(Answer { status: 200, body: Some(json!({"service_profile": {}})) })
    })
}

async fn bound_in(tx: &mut Tx, pair: &Pair<'_>) -> Result<(), Stop> {
    let sql = "SELECT 1 FROM flavorserviceprofilebindings WHERE service_profile_id = ? AND flavor_id = ?";
    if tx.opt(sql, p![pair.profile, pair.flavor]).await?.is_none() {
        let (sp_id, fl_id) = (pair.profile.to_string(), pair.flavor.to_string());
        return Err(Fault::FlavorServiceProfileBindingNotFound { sp_id, fl_id }.into());
    }
    // Who may not see it is not told that it is there.
    match policy::enforce_rule(pair.rq, tx, "get_flavor_service_profile", &Body::new()).await {
        Err(Stop::Fault(_)) => {
            Err(Fault::NotFound { text: "The resource could not be found.".to_string() }.into())
        }
        other => other,
    }
}

/// `DELETE /v2.0/flavors/{flavor_id}/service_profiles/{id}`
pub fn unbind(rq: Rq<'_>, call: Call) -> Answered<'_> {
    Box::pin(async move {
        let (flavor, profile) = (part(&call, 0), part(&call, 1));
        let pair = Pair { rq, flavor: &flavor, profile: &profile };
        rq.app.write(unbind_in, &pair).await.map_err(Stop::into_fault)?;
        Ok(Answer { status: 204, body: None })
    })
}

async fn unbind_in(tx: &mut Tx, pair: &Pair<'_>) -> Result<(), Stop> {
    let target = flavor(pair.rq, tx, pair.flavor).await?;
    policy::enforce_rule(pair.rq, tx, "delete_flavor_service_profile", &target).await?;
    let sql = "DELETE FROM flavorserviceprofilebindings WHERE service_profile_id = ? AND flavor_id = ?";
    if tx.exec(sql, p![pair.profile, pair.flavor]).await?.affected > 0 {
        return Ok(());
    }
    let (sp_id, fl_id) = (pair.profile.to_string(), pair.flavor.to_string());
    Err(Fault::FlavorServiceProfileBindingNotFound { sp_id, fl_id }.into())
}

/// `GET /v2.0/flavors/{flavor_id}/next_providers`
pub fn next_providers(rq: Rq<'_>, call: Call) -> Answered<'_> {
    Box::pin(async move {
        let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
        let provider = next_in(rq, &mut tx, &part(&call, 0)).await.map_err(Stop::into_fault)?;
        let body = json!({"next_providers": [{"driver": provider.driver, "provider": provider.name}]});
        Ok(Answer { status: 200, body: Some(body) })
    })
}

async fn next_in(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<Provider, Stop> {
    let target = flavor(rq, tx, id).await?;
    policy::enforce_rule(rq, tx, "get_flavor", &target).await?;
    next_provider(tx, id).await
}

/// `GET /v2.0/service-providers`
pub fn service_providers(rq: Rq<'_>, call: Call) -> Answered<'_> {
    Box::pin(async move {
        let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
        let seen = policy::enforce_rule(rq, &mut tx, "get_service_provider", &Body::new()).await;
        let shown: Vec<Value> = match seen {
            Ok(()) => PROVIDERS.iter().filter_map(|provider| shown(provider, &call.query)).collect(),
            // A list shows what the caller may see.
            Err(Stop::Fault(_)) => Vec::new(),
            Err(other) => return Err(other.into_fault()),
        };
        Ok(Answer { status: 200, body: Some(json!({"service_providers": shown})) })
    })
}

/// A provider as a list shows it; none when the query's filters leave it out.
fn shown(provider: &Provider, query: &[(String, String)]) -> Option<Value> {
    let all = [
        ("service_type", Value::from(provider.service_type)),
        ("name", Value::from(provider.name)),
        ("default", Value::from(provider.default)),
    ];
    let given = |name: &str| -> Vec<&str> {
        query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    };
    let fields = given("fields");
    let mut body = Map::new();
    for (name, value) in all {
        let wanted = given(name);
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        if !wanted.is_empty() && !wanted.iter().any(|w| w.eq_ignore_ascii_case(&text)) {
            return None;
        }
        if fields.is_empty() || fields.contains(&name) {
            body.insert(name.into(), value);
        }
    }
    Some(Value::Object(body))
}
