//! Aliases that only say what the engine does for every resource.

use crate::extension::{Extension, NOTHING};

/// `sorting`: [`crate::api::list`].
pub static SORTING: Extension = Extension {
    alias: "sorting",
    name: "Sorting support",
    description: "Extension that indicates that sorting is enabled.",
    updated: "2016-06-12T00:00:00-00:00",
    ..NOTHING
};

/// `pagination`: [`crate::api::list`].
pub static PAGINATION: Extension = Extension {
    alias: "pagination",
    name: "Pagination support",
    description: "Extension that indicates that pagination is enabled.",
    updated: "2016-06-12T00:00:00-00:00",
    ..NOTHING
};

/// `empty-string-filtering`: `?name=` finds what has no name.
pub static EMPTY_STRING_FILTERING: Extension = Extension {
    alias: "empty-string-filtering",
    name: "Empty String Filtering Extension",
    description: "Allow filtering by attributes with empty string value",
    updated: "2018-05-01T10:00:00-00:00",
    ..NOTHING
};

/// `filter-validation`: a parameter that is no filter is refused.
pub static FILTER_VALIDATION: Extension = Extension {
    alias: "filter-validation",
    name: "Filter parameters validation",
    description: "Provides validation on filter parameters.",
    updated: "2018-07-04T10:00:00-00:00",
    ..NOTHING
};

/// `project-id`: the owner by its newer name.
pub static PROJECT_ID: Extension = Extension {
    alias: "project-id",
    name: "project_id field enabled",
    description: "Extension that indicates that project_id field is enabled.",
    updated: "2016-09-09T09:09:09-09:09",
    ..NOTHING
};

/// `revision-if-match`: [`crate::api::pipeline`].
pub static REVISION_IF_MATCH: Extension = Extension {
    alias: "revision-if-match",
    name: "If-Match constraints based on revision_number",
    description: "Extension indicating that If-Match based on revision_number is supported.",
    updated: "2016-12-11T00:00:00-00:00",
    requires: &["standard-attr-revisions"],
    ..NOTHING
};

/// `tag-creation`: `POST` adds several tags at once, [`crate::api::tags`].
pub static TAG_CREATION: Extension = Extension {
    alias: "tag-creation",
    name: "Tag creation extension",
    description: "Allow to create multiple tags for a resource",
    updated: "2024-23-07T10:00:00-00:00",
    requires: &["standard-attr-tag"],
    ..NOTHING
};
