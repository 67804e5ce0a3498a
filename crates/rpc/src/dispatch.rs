//! From a message to the endpoint that answers it.

use crate::{BoxFuture, Failure, metrics};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument as _;

/// What an endpoint says to a message.
pub type Answer<'a> = BoxFuture<'a, Result<Value, Failure>>;

/// One message, as an endpoint gets it.
#[derive(Debug)]
pub struct Call<'a> {
    /// The caller's context: `user_id`, `project_id`, `request_id`, … as oslo.context writes them.
    pub ctx: &'a Value,
    /// What is asked for.
    pub method: &'a str,
    /// The method's named arguments.
    pub args: Map<String, Value>,
}

/// What answers the messages of a topic.
pub trait Endpoint: Send + Sync {
    /// The newest version it speaks: `1.9`. It answers every older minor version too.
    fn version(&self) -> &str;
    /// The namespace it answers in; almost all of Neutron's have none.
    fn namespace(&self) -> Option<&str> {
        None
    }
    /// Answers one message; [`Failure::no_such_method`] passes it on to the next endpoint of the topic.
    fn dispatch<'a>(&'a self, call: Call<'a>) -> Answer<'a>;
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) args: Map<String, Value>,
    pub(crate) context: Value,
}

/// Answers a message as [`answer`] does; lines of the log say whose request it belongs to.
pub(crate) async fn dispatch(endpoints: &[Arc<dyn Endpoint>], request: Request) -> Result<Value, Failure> {
    let started = Instant::now();
    let text = |name: &str| request.context.get(name).and_then(Value::as_str);
    let span = oslo::log::request_span(text("request_id").unwrap_or("-"));
    for (field, name) in [("user", "user_id"), ("project", "project_id")] {
        if let Some(value) = text(name) {
            span.record(field, value);
        }
    }
    let answer = answer(endpoints, request).instrument(span).await;
    metrics::message("handled", started, answer.is_ok());
    answer
}

/// The first endpoint of the namespace that speaks the version and knows the method answers. Where all that
/// speak it lack the method, that is what is said.
async fn answer(endpoints: &[Arc<dyn Endpoint>], request: Request) -> Result<Value, Failure> {
    let Request { method, version, namespace, args, context } = request;
    let fits = |endpoint: &&Arc<dyn Endpoint>| {
        endpoint.namespace() == namespace.as_deref() && speaks(endpoint.version(), &version)
    };
    let able: Vec<&Arc<dyn Endpoint>> = endpoints.iter().filter(fits).collect();
    if able.is_empty() {
        return Err(Failure::unsupported_version(&version, &method));
    }
    if method.starts_with('_') {
        return Err(Failure::no_such_method(&method));
    }
    let (mut args, last) = (Some(args), able.len() - 1);
    for (at, endpoint) in able.into_iter().enumerate() {
        // The last one may keep the arguments; the others look at a copy.
        let given = if at == last { args.take() } else { args.clone() };
        match endpoint
            .dispatch(Call { ctx: &context, method: &method, args: given.unwrap_or_default() })
            .await
        {
            Err(failure) if failure.class == "NoSuchMethod" => {}
            answer => return answer,
        }
    }
    Err(Failure::no_such_method(&method))
}

/// Same major version, and no newer minor version than the endpoint's.
fn speaks(endpoint: &str, asked: &str) -> bool {
    let parse = |version: &str| {
        let (major, minor) = version.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    match (parse(endpoint), parse(asked)) {
        (Some(endpoint), Some(asked)) => endpoint.0 == asked.0 && asked.1 <= endpoint.1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Named(&'static str, Option<&'static str>, &'static str);

    impl Endpoint for Named {
        fn version(&self) -> &str {
            self.0
        }
        fn namespace(&self) -> Option<&str> {
            self.1
        }
        fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
            Box::pin(async move {
                if method == self.2 {
                    Ok(json!([self.0, args]))
                } else {
                    Err(Failure::no_such_method(method))
                }
            })
        }
    }

    #[tokio::test]
    async fn finds_who_answers() {
        let endpoints: Vec<Arc<dyn Endpoint>> = vec![
            Arc::new(Named("1.9", None, "get_device_details")),
            Arc::new(Named("1.3", None, "security_group_info_for_devices")),
            Arc::new(Named("1.0", Some("trunk"), "update_trunk_status")),
        ];
        for (namespace, version, method, expected) in [
            (None, "1.0", "get_device_details", "1.9"),
            (None, "1.9", "get_device_details", "1.9"),
            (None, "1.10", "get_device_details", "UnsupportedVersion"),
            (None, "2.0", "get_device_details", "UnsupportedVersion"),
            (None, "nonsense", "get_device_details", "UnsupportedVersion"),
            (None, "1.3", "security_group_info_for_devices", "1.3"),
            (None, "1.4", "security_group_info_for_devices", "NoSuchMethod"),
            (None, "1.0", "update_trunk_status", "NoSuchMethod"),
            (Some("trunk"), "1.0", "update_trunk_status", "1.0"),
            (Some("trunk"), "1.1", "update_trunk_status", "UnsupportedVersion"),
            (None, "1.0", "_get", "NoSuchMethod"),
        ] {
            let args = json!({"a": 1}).as_object().cloned().unwrap_or_default();
            let (method, version) = (method.to_string(), version.to_string());
            let namespace = namespace.map(str::to_string);
            let request = Request { method, version, namespace, args, context: Value::Null };
            let found = match dispatch(&endpoints, request.clone()).await {
                Ok(answer) => {
                    assert_eq!(answer[1], json!({"a": 1}));
                    answer[0].as_str().unwrap_or_default().to_string()
                }
                Err(failure) => failure.class,
            };
            assert_eq!(found, expected, "{request:?}");
        }
    }
}
