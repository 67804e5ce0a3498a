//! What the API says about one attribute, as data.
//!
//! Admission, policy, filtering, sorting, storage and views all read this one declaration, so adding an
//! attribute is adding a line.

use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::record::Page;
use crate::request::Rq;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

/// A resource between admission and the business rule: admitted values are already converted and checked.
pub type Body = Map<String, Value>;

/// Turns what a client wrote into the value that is kept, or says what is wrong with it: mostly
/// [`Fault::ConvertFailed`], at times a fault of its own (`SecurityGroupRuleInvalidProtocol`).
pub type Convert = fn(Value) -> Result<Value, Fault>;

/// One attribute of one resource. Build it with [`Attr::new`] and the methods that follow.
#[derive(Clone, Copy)]
pub struct Attr {
    /// Its name in bodies and queries.
    pub name: &'static str,
    /// May stand in a POST.
    pub post: bool,
    /// May stand in a PUT.
    pub put: bool,
    /// Appears in answers.
    pub visible: bool,
    /// `enforce_policy`: writing it needs the rule `<verb>_<resource>:<name>`, seeing it `get_<resource>:<name>` where declared.
    pub guarded: bool,
    /// The value left out of a POST.
    pub default: Default,
    /// Runs before `check`.
    pub convert: Option<Convert>,
    /// What a converted value must be.
    pub check: Check,
    /// How `GET ?name=value` finds rows.
    pub filter: Filter,
    /// May stand in `sort_key`.
    pub sort: bool,
    /// What a resource without a row in the side table has.
    pub missing: Default,
    /// Where the value lives.
    pub home: Home,
}

/// The id: drawn by the rule, never written by clients.
pub const ID: Attr = Attr::new("id").read_only().check(Check::Uuid).listed();

/// The owner. Every resource that declares it answers and is found by the older name `tenant_id` too:
/// the catalog adds that name.
pub const PROJECT_ID: Attr = Attr::new("project_id").post_only().check(Check::String(255)).listed();

/// The older name of [`PROJECT_ID`]; added by the catalog, read from the same column, stored by nobody.
pub static TENANT_ID: Attr =
    Attr::new("tenant_id").post_only().check(Check::String(255)).listed().home(Home::Column("project_id"));

/// The key into `standardattributes`, never shown; added by the catalog, for fills that need it.
pub static STANDARD_ATTR_ID: Attr =
    Attr::new("standard_attr_id").read_only().hidden().home(Home::Standard("id"));

/// A name of at most 255 characters, empty when left out.
pub const NAME: Attr = Attr::new("name").check(Check::NameString(255)).default(Default::Text("")).listed();

/// What a POST that leaves an attribute out gets.
#[derive(Clone, Copy)]
pub enum Default {
    /// The request is refused.
    Required,
    /// Nothing: the business rule decides (a MAC address, an address). Upstream's `ATTR_NOT_SPECIFIED`.
    Unset,
    /// null
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A text.
    Text(&'static str),
    /// `[]`
    EmptyList,
    /// `{}`
    EmptyDict,
}

/// What a converted value must be; upstream's validators (`type:…`) by the same names.
#[derive(Clone, Copy)]
pub enum Check {
    /// Not checked.
    Any,
    /// `type:string`: a text of at most so many characters.
    String(usize),
    /// `type:string_or_none`
    StringOrNone(usize),
    /// `type:not_empty_string`
    NotEmptyString(usize),
    /// `type:not_empty_string_or_none`
    NotEmptyStringOrNone(usize),
    /// `type:oneline_not_empty_string`
    OnelineNotEmptyString(usize),
    /// `type:name_string`: printable, without blanks at its ends.
    NameString(usize),
    /// `type:name_string_or_none`
    NameStringOrNone(usize),
    /// `type:not_empty_name_string`
    NotEmptyNameString(usize),
    /// `type:name_string_not_default`
    NameNotDefault(usize),
    /// `type:boolean`
    Boolean,
    /// `type:integer`
    Integer,
    /// `type:range`, both ends included.
    Range(i64, i64),
    /// `type:range_or_none`
    RangeOrNone(i64, i64),
    /// `type:non_negative`
    NonNegative,
    /// `type:uuid`
    Uuid,
    /// `type:uuid_or_none`
    UuidOrNone,
    /// `type:uuid_list`
    UuidList,
    /// `type:uuid_list_non_empty`
    UuidListNonEmpty,
    /// `type:subnetpool_id_or_none`
    SubnetpoolIdOrNone,
    /// `type:list_of_unique_strings`
    UniqueStrings(usize),
    /// `type:values`
    Values(&'static [Literal]),
    /// `type:mac_address`
    MacAddress,
    /// `type:mac_address_or_none`
    MacAddressOrNone,
    /// `type:ip_address`
    IpAddress,
    /// `type:ip_address_or_none`
    IpAddressOrNone,
    /// `type:subnet`
    Subnet,
    /// `type:subnet_or_none`
    SubnetOrNone,
    /// `type:subnet_list`
    SubnetList,
    /// `type:ip_or_subnet_or_none`
    IpOrSubnetOrNone,
    /// `type:ip_pools`
    IpPools,
    /// `type:fixed_ips`
    FixedIps,
    /// `type:nameservers`
    Nameservers,
    /// `type:hostroutes`
    HostRoutes,
    /// `type:dict_or_none`
    DictOrNone,
    /// `type:dict_or_empty`
    DictOrEmpty,
    /// `type:dict`
    Dict,
    /// `type:port_range`
    PortRange,
    /// Anything else: the reason is what stands behind `Reason: `.
    Custom(fn(&Value) -> Result<(), String>),
    /// Anything else, refused with a fault of its own.
    Raising(fn(&Value) -> Result<(), Fault>),
}

/// A value of a closed list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Literal {
    /// null
    Null,
    /// An integer.
    Int(i64),
    /// A text.
    Text(&'static str),
}

/// How a query parameter finds rows.
#[derive(Clone, Copy)]
pub enum Filter {
    /// It does not: with `filter-validation` upstream refuses it.
    No,
    /// By equality with the attribute's [`Home`] column; several values mean any of them.
    Equal,
    /// By a condition of its own over the values given: SQL with one `?` per parameter, rows of the
    /// resource's table under its own name.
    Custom(fn(Rq<'_>, &[String]) -> Result<Condition, Fault>),
}

/// A piece of a WHERE clause and what to bind to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// SQL; only declared names reach it, every value is bound.
    pub sql: String,
    /// The parameters.
    pub params: Vec<crate::db::Val>,
}

/// Where an attribute's value lives; storage derives its SQL from this.
#[derive(Clone, Copy)]
pub enum Home {
    /// A column of the resource's table.
    Column(&'static str),
    /// A column of `standardattributes`.
    Standard(&'static str),
    /// A column of a table with at most one row per resource, joined by `key` = the resource's id.
    /// What a resource without a row has is said by [`Attr::missing`].
    Side {
        /// The table.
        table: &'static str,
        /// Its column that holds the resource's id.
        key: &'static str,
        /// Its column that holds the value.
        column: &'static str,
    },
    /// Filled for a whole page of rows at once: lists, sums, values of other tables. One statement per page,
    /// never one per row. Attributes that name the same function are filled by one call.
    Filled(Fill),
    /// Accepted in bodies, read by the business rule, never stored under this name.
    Nowhere,
}

/// Fills attributes of all rows of a page.
pub type Fill = for<'a> fn(Rq<'a>, &'a mut Tx, &'a mut Page) -> BoxFuture<'a, Result<(), Stop>>;

impl Attr {
    /// An attribute that may be written and read, unchecked, unset when left out, in the column of its name.
    pub const fn new(name: &'static str) -> Attr {
        Attr {
            name,
            post: true,
            put: true,
            visible: true,
            guarded: false,
            default: Default::Unset,
            convert: None,
            check: Check::Any,
            filter: Filter::No,
            sort: false,
            missing: Default::Null,
            home: Home::Column(name),
        }
    }
    /// What a converted value must be.
    pub const fn check(self, check: Check) -> Attr {
        Attr { check, ..self }
    }
    /// Runs before the check.
    pub const fn convert(self, convert: Convert) -> Attr {
        Attr { convert: Some(convert), ..self }
    }
    /// What a POST that leaves it out gets.
    pub const fn default(self, default: Default) -> Attr {
        Attr { default, ..self }
    }
    /// May not be written by clients.
    pub const fn read_only(self) -> Attr {
        Attr { post: false, put: false, ..self }
    }
    /// May stand in a POST only.
    pub const fn post_only(self) -> Attr {
        Attr { put: false, ..self }
    }
    /// May stand in a PUT only.
    pub const fn put_only(self) -> Attr {
        Attr { post: false, ..self }
    }
    /// Writing it needs a rule of its own.
    pub const fn guarded(self) -> Attr {
        Attr { guarded: true, ..self }
    }
    /// Never in answers.
    pub const fn hidden(self) -> Attr {
        Attr { visible: false, ..self }
    }
    /// Filter by equality, and sort.
    pub const fn listed(self) -> Attr {
        Attr { filter: Filter::Equal, sort: true, ..self }
    }
    /// Filter by equality; no sort key.
    pub const fn filtered(self) -> Attr {
        Attr { filter: Filter::Equal, ..self }
    }
    /// Filter by a condition of its own.
    pub const fn filter(self, filter: Filter) -> Attr {
        Attr { filter, ..self }
    }
    /// What a resource without a row in the side table has.
    pub const fn missing(self, missing: Default) -> Attr {
        Attr { missing, ..self }
    }
    /// Where the value lives.
    pub const fn home(self, home: Home) -> Attr {
        Attr { home, ..self }
    }
}
