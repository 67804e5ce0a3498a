//! From an event to a line: message, fields, whose request it is.

use super::format::Template;
use super::sink::Sink;
use super::{level_name, severity};
use jiff::Zoned;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// What lines look like.
#[derive(Debug, Default)]
pub(super) struct Style {
    pub date: String,
    pub with_context: Template,
    pub without: Template,
    pub identity: Template,
    pub debug_suffix: Template,
}

/// What lines look like and where they go.
pub(super) struct Lines {
    pub sinks: Vec<Sink>,
    pub style: Style,
}

/// Takes part in every event.
pub(super) struct OsloLayer(pub Arc<Mutex<Lines>>);

/// Who asks, taken from a span.
#[derive(Debug, Default, Clone)]
struct Identity(Vec<(&'static str, String)>);

impl Identity {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }
    fn set(&mut self, name: &'static str, value: String) {
        self.0.retain(|(n, _)| *n != name);
        self.0.push((name, value));
    }
}

impl Visit for Identity {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.to_string());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.set(field.name(), format!("{value:?}"));
    }
}

/// The message with its fields behind it.
#[derive(Debug, Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing into a String does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for OsloLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if attributes.metadata().fields().field("request_id").is_none() {
            return;
        }
        let mut identity = Identity::default();
        attributes.record(&mut identity);
        if let Some(span) = ctx.span(id) {
            span.extensions_mut().insert(identity);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(identity) = span.extensions_mut().get_mut::<Identity>()
        {
            values.record(identity);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let message = words.message + &words.fields;
        let identity = ctx.event_scope(event).into_iter().flatten();
        let identity = identity.filter_map(|span| span.extensions().get::<Identity>().cloned()).next();
        let level = *event.metadata().level();
        let place = Place {
            name: logger(event.metadata().target()),
            level: level_name(level),
            file: event.metadata().file().unwrap_or("-"),
            line: event.metadata().line().unwrap_or(0),
        };
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.style.line(&Zoned::now(), &place, identity.as_ref(), &message);
        for sink in &mut lines.sinks {
            sink.write(&line, severity(level));
        }
    }
}

struct Place<'a> {
    name: String,
    level: &'static str,
    file: &'a str,
    line: u32,
}

impl Style {
    fn line(&self, now: &Zoned, place: &Place<'_>, identity: Option<&Identity>, message: &str) -> String {
        let mut line = String::with_capacity(message.len() + 160);
        let put = |name: &str, out: &mut String| self.put(name, out, now, place, identity, message);
        let template = if identity.is_some() { &self.with_context } else { &self.without };
        template.write(&mut line, put);
        if place.level == "DEBUG" {
            line.push(' ');
            self.debug_suffix.write(&mut line, put);
        }
        line.push('\n');
        line
    }

    fn put(
        &self,
        name: &str,
        out: &mut String,
        now: &Zoned,
        place: &Place<'_>,
        identity: Option<&Identity>,
        message: &str,
    ) {
        // Writing into a String does not fail, and a date format that is none leaves the date out.
        let _ = match name {
            "asctime" => write!(out, "{}", now.strftime(&self.date)),
            "msecs" => write!(out, "{}", now.millisecond()),
            "process" => write!(out, "{}", std::process::id()),
            "levelname" => write!(out, "{}", place.level),
            "name" => write!(out, "{}", place.name),
            "message" => write!(out, "{message}"),
            "pathname" => write!(out, "{}", place.file),
            "lineno" => write!(out, "{}", place.line),
            // Rust does not tell a function's name; the module stands for it.
            "funcName" => write!(out, "{}", place.name),
            "instance" | "resource" | "color" => Ok(()),
            "user_identity" => {
                let who = |name: &str, out: &mut String| {
                    out.push_str(identity.and_then(|i| i.get(name)).unwrap_or("-"));
                };
                self.identity.write(out, who);
                Ok(())
            }
            "global_request_id" => {
                write!(out, "{}", identity.and_then(|i| i.get("global_request_id")).unwrap_or("None"))
            }
            name => write!(out, "{}", identity.and_then(|i| i.get(name)).unwrap_or("-")),
        };
    }
}

/// The crates whose modules are Neutron's.
const OURS: [&str; 8] = ["agent", "client", "host", "model", "neutron", "oslo", "rpc", "server"];

/// The name of a logger as Python has it: `server::api` is `neutron.server.api`.
fn logger(target: &str) -> String {
    let first = target.split(['.', ':']).next().unwrap_or_default();
    let name = target.replace("::", ".");
    if first != "neutron" && OURS.contains(&first) { format!("neutron.{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_oslo_log() {
        let style = Style {
            date: "%Y-%m-%d %H:%M:%S".into(),
            with_context: Template::read(
                "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [%(global_request_id)s %(request_id)s \
                 %(user_identity)s] %(instance)s%(message)s",
            ),
            without: Template::read("%(asctime)s.%(msecs)03d %(levelname)s %(name)s [-] %(message)s"),
            identity: Template::read("%(user)s %(project)s %(domain)s %(user_domain)s"),
            debug_suffix: Template::read("%(pathname)s:%(lineno)d"),
        };
        let now: Zoned = "2026-11-21T22:08:34.007[UTC]".parse().unwrap();
        let place = |level| Place { name: logger("server::api"), level, file: "a.rs", line: 7 };
        let mut identity = Identity::default();
        identity.set("request_id", "req-1".into());
        identity.set("project", "p".into());
        let pid = std::process::id();
        assert_eq!(
            style.line(&now, &place("INFO"), Some(&identity), "done"),
            format!("2026-11-21 22:08:34.007 {pid} INFO neutron.server.api [None req-1 - p - -] done\n")
        );
        assert_eq!(
            style.line(&now, &place("DEBUG"), None, "done"),
            "2026-11-21 22:08:34.007 DEBUG neutron.server.api [-] done a.rs:7\n"
        );
        assert_eq!(
            (logger("neutron.wsgi"), logger("lapin::io_loop")),
            ("neutron.wsgi".into(), "lapin.io_loop".into())
        );
    }
}
