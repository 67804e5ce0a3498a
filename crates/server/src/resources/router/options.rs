//! What operators say about routers.

oslo::options! {
    /// What routers are where nobody says otherwise.
    pub struct Options in "DEFAULT" {
        /// Whether a gateway hides inner addresses behind its own where external_gateway_info has no enable_snat.
        enable_snat_by_default: bool = true;
    }
}
