//! Versioned objects that agents pull (`q-plugin`, version 1.1), and what servers tell each other of the versions
//! that agents listen for (`q-server-resource-versions`, version 1.0).

use super::args::Args;
use super::failure;
use crate::app::Shared;
use crate::objects::{self, ABSENT, Kind, Object, Version, Which, version};
use rpc::{Answer, Call, Endpoint, Failure};
use serde_json::{Value, json};

/// Where servers tell each other.
pub const SERVERS_TOPIC: &str = "q-server-resource-versions";

/// What agents pull from.
pub struct Resources(pub Shared);

fn raised(module: &str, class: &str, message: String, kwargs: Value) -> Failure {
    let kwargs = kwargs.as_object().cloned().unwrap_or_default();
    Failure { class: class.into(), module: module.into(), message, kwargs }
}

/// Which objects of which version are asked for; none for a kind that Neutron has and this server has none of.
fn asked(args: &Args) -> Result<Option<(Kind, Version)>, Failure> {
    let name = args.text("resource_type")?;
    let Some(kind) = Kind::named(name) else {
        if ABSENT.contains(&name) {
            return Ok(None);
        }
        let message = format!("The value '{name}' for resource is not valid.");
        let kwargs = json!({"value": name, "element": "resource"});
        return Err(raised("neutron_lib.callbacks.exceptions", "Invalid", message, kwargs));
    };
    let text = args.text("version")?;
    match version(text).filter(|version| version.0 == kind.newest().0 && *version <= kind.newest()) {
        Some(version) => Ok(Some((kind, version))),
        None => Err(raised(
            "oslo_versionedobjects.exception",
            "InvalidTargetVersion",
            format!("Invalid target version {text}"),
            json!({"version": text}),
        )),
    }
}

impl Resources {
    async fn read(&self, kind: Kind, which: &Which) -> Result<Vec<Object>, Failure> {
        let mut tx = self.0.db.read().await.map_err(failure)?;
        objects::read(&mut tx, kind, which).await.map_err(failure)
    }

    async fn pull(&self, args: &Args) -> Result<Value, Failure> {
        let Some((kind, version)) = asked(args)? else { return Ok(Value::Null) };
        let found = self.read(kind, &Which::ids(&[args.text("resource_id")?])).await?;
        Ok(found.first().map_or(Value::Null, |object| object.primitive(version)))
    }

    async fn bulk_pull(&self, args: &Args) -> Result<Value, Failure> {
        let Some((kind, version)) = asked(args)? else { return Ok(json!([])) };
        let which = Which::filtered(kind, &args.object("filter_kwargs")).map_err(Failure::internal)?;
        let found = self.read(kind, &which).await?;
        Ok(found.iter().map(|object| object.primitive(version)).collect())
    }
}

impl Endpoint for Resources {
    fn version(&self) -> &str {
        "1.1"
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            match method {
                "pull" => self.pull(&Args(args)).await,
                "bulk_pull" => self.bulk_pull(&Args(args)).await,
                _ => Err(Failure::no_such_method(method)),
            }
        })
    }
}

/// What other servers heard of agents' versions.
pub struct Versions(pub Shared);

impl Endpoint for Versions {
    fn version(&self) -> &str {
        "1.0"
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            let args = Args(args);
            match method {
                "report_agent_resource_versions" => {
                    self.0.versions.reported(args.text("agent_type")?, &args.object("version_map"));
                    Ok(Value::Null)
                }
                _ => Err(Failure::no_such_method(method)),
            }
        })
    }
}
