//! Flavors, service profiles and providers over HTTP.

use crate::client::{Served, words};
use serde_json::{Value, json};

#[tokio::test]
async fn a_flavor_leads_to_a_provider() {
    let server = Served::start().await;
    let flavor = json!({"flavor": {"name": "gold", "service_type": "L3_ROUTER_NAT"}});
    let flavor = server.make("admin", "flavors", flavor).await["id"].as_str().unwrap().to_string();
    let next = format!("flavors/{flavor}/next_providers");
    let answer = server.ask("admin", "GET", &next, Value::Null).await;
    assert_eq!(
        words(&answer),
        format!(
            "404 FlavorServiceProfileBindingNotFound: Service Profile  is not associated with flavor {flavor}."
        )
    );
    let driver = "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver";
    let profile = json!({"service_profile": {"driver": driver}});
    let profile = server.make("admin", "service_profiles", profile).await["id"].as_str().unwrap().to_string();
    let bind = json!({"service_profile": {"id": profile}});
    server.make("admin", &format!("flavors/{flavor}/service_profiles"), bind.clone()).await;
    let again = server.ask("admin", "POST", &format!("flavors/{flavor}/service_profiles"), bind).await;
    assert_eq!(
        words(&again),
        format!(
            "409 FlavorServiceProfileBindingExists: Service Profile {profile} is already associated with flavor {flavor}."
        )
    );
    let answer = server.ask("admin", "GET", &next, Value::Null).await;
    assert_eq!(answer, (200, json!({"next_providers": [{"driver": driver, "provider": "single_node"}]})));
    let shown = server.ask("demo", "GET", &format!("flavors/{flavor}"), Value::Null).await.1;
    assert_eq!(shown["flavor"]["service_profiles"], json!([profile]));
    let used = server.ask("admin", "DELETE", &format!("service_profiles/{profile}"), Value::Null).await;
    assert_eq!(
        words(&used),
        format!("409 ServiceProfileInUse: Service Profile {profile} is used by some service instance.")
    );
    let binding = format!("flavors/{flavor}/service_profiles/{profile}");
    assert_eq!(server.ask("admin", "DELETE", &binding, Value::Null).await.0, 204);
    assert_eq!(server.ask("admin", "DELETE", &binding, Value::Null).await.0, 404);
    assert_eq!(
        server.ask("demo", "POST", "flavors", json!({"flavor": {"service_type": "L3_ROUTER_NAT"}})).await.0,
        403
    );
    let providers = server.list("demo", "service-providers?fields=name").await;
    assert_eq!(providers, [json!({"name": "single_node"})]);
}
