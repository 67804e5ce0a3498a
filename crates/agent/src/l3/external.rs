//! Which external network is behind `external_network_bridge`. A bridge of gateways leads to one network; where no option
//! names that, the server is asked for its only one, as agents up to 2016 did. Pure.

use model::l3::Router;
use rpc::Error;
use serde_json::Value;

use super::desired::refusal;
use super::options::Options;

/// What is done about a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It is served.
    Serve,
    /// It is not this agent's: what is here of it is removed.
    Refuse(&'static str),
    /// That cannot be told: what is here of it stays as it is, and it is looked at again.
    Leave(String),
}

/// What is known of the server's external networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Known {
    /// Nothing yet.
    #[default]
    Nothing,
    /// The only one there was.
    Only(String),
    /// The server does not tell, as those since 2016 do not.
    Untold,
}

/// A ruling, or the question it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum External {
    /// The ruling.
    Ruled(Ruling),
    /// The server must say which external network is the only one; the router's is this.
    Ask(String),
}

/// What is done about a router with what is known already.
pub fn ruling(router: &Router, options: &Options, known: &Known) -> External {
    if let Some(reason) = refusal(router, options) {
        return External::Ruled(Ruling::Refuse(reason));
    }
    let named = options.external_bridge.is_none() || options.gateway_external_network_id.is_some();
    match (router.gw_port.as_ref().filter(|_| !named), known) {
        (None, _) | (Some(_), Known::Untold) => External::Ruled(Ruling::Serve),
        (Some(gateway), Known::Only(network)) if gateway.network_id == *network => {
            External::Ruled(Ruling::Serve)
        }
        // Networks come and go: what was the only one may be gone.
        (Some(gateway), Known::Only(_) | Known::Nothing) => External::Ask(gateway.network_id.clone()),
    }
}

/// What the server's answer to `get_external_network_id` means for a router whose gateway is on `network`, and what is known
/// from then on; none: what was known before, so that routers on the network that was the only one go on.
pub fn answered(network: &str, answer: Result<Value, Error>) -> (Option<Known>, Ruling) {
    match answer {
        Ok(Value::String(only)) if only == network => (Some(Known::Only(only)), Ruling::Serve),
        Ok(Value::String(only)) => {
            (Some(Known::Only(only)), Ruling::Refuse("its gateway is not on the only external network"))
        }
        Ok(_) => (Some(Known::Nothing), Ruling::Serve),
        Err(Error::Remote(failure)) if failure.class == "TooManyExternalNetworks" => {
            let why = "The 'gateway_external_network_id' option must be configured for this agent as Neutron has more than \
                       one external network. Set it to the network behind external_network_bridge, or leave that empty \
                       and name bridges in bridge_mappings";
            (None, Ruling::Leave(why.to_owned()))
        }
        Err(Error::Remote(failure)) if failure.class == "NoSuchMethod" => {
            tracing::warn!(
                "this server does not say which external network is behind external_network_bridge: gateways on all \
                 of them are plugged into it, unless gateway_external_network_id names one"
            );
            (Some(Known::Untold), Ruling::Serve)
        }
        Err(error) => (None, Ruling::Leave(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpc::Failure;
    use serde_json::{Map, json};
    use std::path::Path;

    fn router(network: Option<&str>) -> Router {
        let gateway = network.map(|network| {
            json!({"id": "p", "network_id": network, "mac_address": "fa:16:3e:00:00:01", "mtu": 1500,
                   "admin_state_up": true, "fixed_ips": [], "subnets": [], "extra_subnets": []})
        });
        serde_json::from_value(json!({"id": "r", "admin_state_up": true, "distributed": false, "ha": false,
            "enable_snat": true, "routes": [], "_interfaces": [], "_floatingips": [], "gw_port": gateway}))
        .unwrap()
    }

    #[test]
    fn the_server_is_asked_where_a_bridge_has_a_network_that_no_option_names() {
        let mut options = Options::new("h", Path::new("/s"));
        let serve = External::Ruled(Ruling::Serve);
        let ask = || External::Ask("n".to_owned());
        let only = |network: &str| Known::Only(network.to_owned());
        assert_eq!(ruling(&router(Some("n")), &options, &Known::Nothing), serve, "bridge_mappings tell");
        options.external_bridge = Some("br-ex".to_owned());
        assert_eq!(ruling(&router(Some("n")), &options, &Known::Nothing), ask());
        assert_eq!(ruling(&router(Some("n")), &options, &only("m")), ask());
        assert_eq!(ruling(&router(Some("n")), &options, &only("n")), serve);
        assert_eq!(ruling(&router(Some("n")), &options, &Known::Untold), serve);
        assert_eq!(ruling(&router(None), &options, &Known::Nothing), serve);
        options.gateway_external_network_id = Some("n".to_owned());
        assert_eq!(ruling(&router(Some("n")), &options, &Known::Nothing), serve);
        let refused = ruling(&router(Some("m")), &options, &Known::Nothing);
        assert!(matches!(refused, External::Ruled(Ruling::Refuse(_))), "{refused:?}");
    }

    #[test]
    fn an_answer_rules() {
        let refused = |class: &str| Err(Error::Remote(Failure::neutron(class, "words", Map::new())));
        assert_eq!(answered("n", Ok(json!("n"))), (Some(Known::Only("n".to_owned())), Ruling::Serve));
        assert_eq!(answered("n", Ok(Value::Null)), (Some(Known::Nothing), Ruling::Serve));
        let (known, ruling) = answered("n", Ok(json!("m")));
        assert_eq!(known, Some(Known::Only("m".to_owned())));
        assert!(matches!(ruling, Ruling::Refuse(_)));
        let (known, ruling) = answered("n", refused("TooManyExternalNetworks"));
        let Ruling::Leave(why) = ruling else { panic!("{ruling:?}") };
        assert_eq!(known, None, "routers on the one before go on");
        assert!(why.contains("'gateway_external_network_id' option must be configured"), "{why}");
        let none = Err(Error::Remote(Failure::no_such_method("get_external_network_id")));
        assert_eq!(answered("n", none), (Some(Known::Untold), Ruling::Serve));
        assert!(matches!(answered("n", refused("DBError")), (None, Ruling::Leave(_))));
    }
}
