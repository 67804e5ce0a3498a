//! An extension as one value: aliases, attributes, resources, actions, rules of policy, hooks.

use crate::attr::{Attr, Body};
use crate::db::{Ask, Stop, Tx};
use crate::record::Page;
use crate::request::Rq;
use futures_util::future::BoxFuture;
use serde_json::Value;

/// All that an alias stands for. Start from [`NOTHING`].
pub struct Extension {
    /// The alias in `GET /v2.0/extensions`.
    pub alias: &'static str,
    /// Its title.
    pub name: &'static str,
    /// Its description, as upstream words it.
    pub description: &'static str,
    /// The date of its last change, as upstream states it.
    pub updated: &'static str,
    /// The name in `[ml2] extension_drivers` that loads it; none = it is always loaded.
    pub driver: Option<&'static str>,
    /// Aliases (or core resources) that must be loaded too.
    pub requires: &'static [&'static str],
    /// Resources it brings.
    pub resources: &'static [&'static Resource],
    /// Attributes it adds to resources of others.
    pub attributes: &'static [On],
    /// Paths beside the resources': sub-resources and odd ones.
    pub routes: &'static [Route],
    /// Default rules of policy it brings, beside those of its resources.
    pub policies: &'static [Rule],
    /// What it does inside other resources' transactions.
    pub hooks: &'static [Hook],
}

/// A shim: says that the server behaves some way, and adds nothing.
pub const NOTHING: Extension = Extension {
    alias: "",
    name: "",
    description: "",
    updated: "",
    driver: None,
    requires: &[],
    resources: &[],
    attributes: &[],
    routes: &[],
    policies: &[],
    hooks: &[],
};

/// A default rule of policy in oslo.policy's language.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// `create_network:shared`
    pub name: &'static str,
    /// `rule:admin_only`
    pub check: &'static str,
}

/// In [`On::resource`]: every resource with `standardattributes`.
pub const STANDARD: &str = "*";

/// Attributes added to a resource.
pub struct On {
    /// The resource's singular name, or [`STANDARD`].
    pub resource: &'static str,
    /// The attributes.
    pub attributes: &'static [Attr],
}

/// A collection of the API: declared attributes plus a business rule.
pub struct Resource {
    /// Singular, as in bodies: `security_group`.
    pub name: &'static str,
    /// Plural, as in bodies; in paths with `-` for `_`.
    pub collection: &'static str,
    /// Its table. Rows have a column `id`. Empty for what is no table (its rules answer by routes of their own).
    pub table: &'static str,
    /// Whether rows have `standard_attr_id` (description, timestamps, revision, tags follow from it).
    /// The `resource_type` in `standardattributes` is the table's name, as upstream.
    pub standard: bool,
    /// Its own attributes, in the order in which they are checked.
    pub attributes: &'static [Attr],
    /// The name its quota goes by, and the default limit; none = unlimited.
    pub quota: Option<&'static str>,
    /// The fault for an id that is not there (or not visible).
    pub not_found: fn(&str) -> crate::fault::Fault,
    /// The business rule.
    pub rules: &'static dyn Rules,
    /// Member actions: `PUT /v2.0/routers/{id}/add_router_interface`.
    pub actions: &'static [Action],
    /// Restricts what a caller who is no admin can see: own rows always, and these besides (shared networks,
    /// RBAC). SQL over the resource's table with the parameters given.
    pub visible: Option<fn(Rq<'_>) -> crate::attr::Condition>,
    /// Which verbs it answers.
    pub verbs: Verbs,
}

/// The verbs of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verbs {
    /// POST
    pub create: bool,
    /// PUT
    pub update: bool,
    /// DELETE
    pub delete: bool,
    /// POST of many at once.
    pub bulk: bool,
}

impl Verbs {
    /// All of them.
    pub const ALL: Verbs = Verbs { create: true, update: true, delete: true, bulk: true };
    /// All of them, but one at a time: upstream's service plugins refuse many.
    pub const SINGLE: Verbs = Verbs { bulk: false, ..Verbs::ALL };
}

/// The business rule of a resource, inside the transaction. Admission, policy, quota, the base row's
/// visibility, revision checks and views have been or will be done by the pipeline.
///
/// Rules store with [`crate::store`], announce what changed with [`Tx::announce`], and may be run again.
pub trait Rules: Send + Sync {
    /// Makes one; returns its id.
    fn create<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, body: Body) -> BoxFuture<'a, Result<String, Stop>>;
    /// Changes one. `old` is the resource as an admin sees it.
    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>>;
    /// Removes one.
    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>>;
    /// What [`Rules::create`] and the hooks behind it will ask for some bodies, to be asked in one round trip
    /// ([`Tx::ahead`]). Only a saving: what is missing here is asked when it is needed.
    fn asks(&self, _rq: Rq<'_>, _bodies: &[Body]) -> Vec<Ask> {
        Vec::new()
    }
    /// Many in one request: what they must be together, before the first is made.
    fn check_bulk(&self, _bodies: &[Body]) -> Result<(), crate::fault::Fault> {
        Ok(())
    }
    /// Before a list is read: what has to be there first, made in a transaction of its own (a project's
    /// default security group). `filters` are the query's parameters. Must be safe to run at any time.
    fn before_list<'a>(
        &'a self,
        _rq: Rq<'a>,
        _filters: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<(), crate::fault::Fault>> {
        Box::pin(async { Ok(()) })
    }
    /// Whether there may be something to do after the commit for a row that a create or update left so.
    fn wants_after(&self, _page: &Page, _row: usize) -> bool {
        false
    }
    /// After the commit of a create or update of some rows: what may not stand in the transaction (port binding).
    /// Must be safe to run at any time. Answers with the rows that changed, as they are then.
    fn after<'a>(
        &'a self,
        _rq: Rq<'a>,
        _ids: &'a [String],
    ) -> BoxFuture<'a, Result<Option<Page>, crate::fault::Fault>> {
        Box::pin(async { Ok(None) })
    }
}

/// A member action with a body and an answer.
pub struct Action {
    /// The last part of the path; also the name of its policy rule where `policy` is empty.
    pub name: &'static str,
    /// `PUT` or `GET`.
    pub method: Method,
    /// The policy rule.
    pub policy: &'static str,
    /// What it does, inside a transaction. `old` is the resource as an admin sees it.
    pub run: ActionRun,
}

/// A member action: the request, the transaction, the resource as an admin sees it, the body.
pub type ActionRun = for<'a> fn(Rq<'a>, &'a mut Tx, &'a Body, Value) -> BoxFuture<'a, Result<Value, Stop>>;

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
}

/// A path of its own: `/agents/{agent_id}/dhcp-networks`.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path below `/v2.0`, with `{name}` for parameters.
    pub path: &'static str,
    /// What answers. It checks its own policy with [`crate::policy`].
    pub run: for<'a> fn(Rq<'a>, Call) -> BoxFuture<'a, Result<Answer, crate::fault::Fault>>,
}

/// What a [`Route`] was called with.
pub struct Call {
    /// The path's parameters in order.
    pub path: Vec<String>,
    /// The query's parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The body; null when there is none.
    pub body: Value,
}

/// What a [`Route`] answers.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; none for 204.
    pub body: Option<Value>,
}

/// What an extension does inside other resources' transactions, in the order of the list of extensions.
#[derive(Clone, Copy)]
pub struct Hook {
    /// The resource's singular name.
    pub resource: &'static str,
    /// After the resource's own rule stored a new one (`old` is none) or a changed one; may refuse.
    /// `body` is what the client sent, admitted.
    pub stored: Stored,
}

/// A hook: the request, the transaction, the id, the resource before, what the client sent, admitted.
pub type Stored =
    for<'a> fn(Rq<'a>, &'a mut Tx, &'a str, Option<&'a Body>, &'a Body) -> BoxFuture<'a, Result<(), Stop>>;
