//! `quota-*`.

use serde_json::{Map, Value, json};

use crate::api::Params;
use crate::argparse::{Count, Opt, Pos};
use crate::command::{Command, Extend, List, Run, Source, Verb};
use crate::fault::Fault;
use crate::resource::QUOTA;
use crate::verbs::sorted;
use crate::{cells, extra, python};

static LIST: List = List {
    columns: &[],
    cells: &[],
    source: Source::Whole,
    pages: false,
    sorting: false,
    filters: &[],
    extend: Extend::Nothing,
};

const TENANT: &[Opt] = &[
    Opt::new(&["--tenant-id"], "tenant_id").metavar("tenant-id").help("the project; yours unless given"),
    Opt::new(&["--tenant_id"], "tenant_id"),
];
const TENANT_POS: &[Pos] = &[Pos::new("pos_tenant_id", "", "").count(Count::Optional)];

const LIMITS: &[Opt] = &[
    Opt::new(&["--network"], "network").metavar("networks").help("how many networks"),
    Opt::new(&["--subnet"], "subnet").metavar("subnets").help("how many subnets"),
    Opt::new(&["--port"], "port").metavar("ports").help("how many ports"),
    Opt::new(&["--router"], "router").metavar("routers").help("how many routers"),
    Opt::new(&["--floatingip"], "floatingip").metavar("floatingips").help("how many floating IPs"),
    Opt::new(&["--security-group"], "security_group")
        .metavar("security_groups")
        .help("how many security groups"),
    Opt::new(&["--security-group-rule"], "security_group_rule")
        .metavar("security_group_rules")
        .help("how many rules of security groups"),
    Opt::new(&["--vip"], "vip").metavar("vips").help("how many virtual addresses"),
    Opt::new(&["--pool"], "pool").metavar("pools").help("how many pools"),
    Opt::new(&["--member"], "member").metavar("members").help("how many members of pools"),
    Opt::new(&["--health-monitor"], "healthmonitor")
        .metavar("health_monitors")
        .help("how many health monitors"),
    Opt::new(&["--loadbalancer"], "loadbalancer").metavar("loadbalancers").help("how many load balancers"),
    Opt::new(&["--listener"], "listener").metavar("listeners").help("how many listeners"),
    Opt::new(&["--rbac-policy"], "rbac_policy").metavar("rbac_policies").help("how many RBAC policies"),
];

fn tenant(run: &mut Run<'_>) -> Result<String, Fault> {
    for dest in ["pos_tenant_id", "tenant_id"] {
        if run.is_set(dest) {
            return Ok(run.text(dest).to_owned());
        }
    }
    let answer = run.api.request("GET", "/quotas/tenant", &Params::new(), None)?.unwrap_or_default();
    Ok(python::text(&answer["tenant"]["tenant_id"]))
}

fn quota(answer: Option<Value>) -> Result<Map<String, Value>, Fault> {
    match answer.and_then(|mut answer| answer.get_mut("quota").map(Value::take)) {
        Some(Value::Object(quota)) => Ok(sorted(quota)),
        Some(_) | None => Err(Fault::Command("'quota'".to_owned())),
    }
}

fn show(run: &mut Run<'_>) -> Result<Map<String, Value>, Fault> {
    let tenant = tenant(run)?;
    quota(run.api.request("GET", &format!("/quotas/{tenant}"), &Params::new(), None)?)
}

fn show_default(run: &mut Run<'_>) -> Result<Map<String, Value>, Fault> {
    let tenant = tenant(run)?;
    quota(run.api.request("GET", &format!("/quotas/{tenant}/default"), &Params::new(), None)?)
}

fn update(run: &mut Run<'_>) -> Result<Map<String, Value>, Fault> {
    let extras = extra::parse(&run.extras)?;
    let mut limits = Map::new();
    for limit in LIMITS.iter().filter(|limit| run.is_set(limit.dest)) {
        let value = run.text(limit.dest).trim().parse::<i64>();
        let value = value
            .map_err(|_| Fault::Command(format!("Quota limit for {} must be an integer", limit.dest)))?;
        limits.insert(limit.dest.to_owned(), json!(value));
    }
    if limits.is_empty() {
        return Err(Fault::Command("Must specify a valid resource with new quota value".to_owned()));
    }
    limits.extend(extras);
    let tenant = tenant(run)?;
    let body = json!({"quota": limits});
    let answer = run.api.request("PUT", &format!("/quotas/{tenant}"), &Params::new(), Some(&body))?;
    let mut quota = quota(answer)?;
    cells::format_object(&mut quota, None);
    Ok(quota)
}

fn delete(run: &mut Run<'_>) -> Result<(), Fault> {
    let tenant = tenant(run)?;
    run.api.request("DELETE", &format!("/quotas/{tenant}"), &Params::new(), None)?;
    run.say(&format!("Deleted quota: {tenant}"));
    Ok(())
}

/// The commands.
pub static COMMANDS: [Command; 5] = [
    Command {
        name: "quota-list",
        about: "List quotas of all tenants who have non-default quota values.",
        resource: &QUOTA,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "quota-show",
        about: "Show quotas for a given tenant.",
        resource: &QUOTA,
        verb: Verb::Object(show),
        options: &[TENANT],
        positionals: TENANT_POS,
    },
    Command {
        name: "quota-default-show",
        about: "Show default quotas for a given tenant.",
        resource: &QUOTA,
        verb: Verb::Object(show_default),
        options: &[TENANT],
        positionals: TENANT_POS,
    },
    Command {
        name: "quota-update",
        about: "Update a given tenant's quotas.",
        resource: &QUOTA,
        verb: Verb::Object(update),
        options: &[TENANT, LIMITS],
        positionals: TENANT_POS,
    },
    Command {
        name: "quota-delete",
        about: "Delete defined quotas of a given tenant.",
        resource: &QUOTA,
        verb: Verb::Act(delete),
        options: &[TENANT],
        positionals: TENANT_POS,
    },
];
