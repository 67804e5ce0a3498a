//! What the server is told of floating IPs: only what it does not know yet. Pure.

use std::collections::{BTreeMap, BTreeSet};

use model::l3::Router;

/// The statuses to report after a pass: `ACTIVE` where the translation is in place, `ERROR` where it could not
/// be made, `DOWN` for those that were reported before and are gone.
pub fn statuses(router: &Router, worked: bool, before: &BTreeSet<String>) -> BTreeMap<String, &'static str> {
    let status = if worked { "ACTIVE" } else { "ERROR" };
    let has_gateway = router.gw_port.is_some();
    let current = router.floatingips.iter().filter(|fip| has_gateway && fip.fixed_ip_address.is_some());
    let news = current.clone().filter(|fip| fip.status.as_deref() != Some(status));
    let mut statuses: BTreeMap<String, &'static str> = news.map(|fip| (fip.id.clone(), status)).collect();
    let current: BTreeSet<&String> = current.map(|fip| &fip.id).collect();
    statuses.extend(before.iter().filter(|id| !current.contains(id)).map(|id| (id.clone(), "DOWN")));
    statuses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_are_told() {
        let mut router: Router = serde_json::from_str(include_str!("samples/router.json")).unwrap();
        let ids: Vec<String> = router.floatingips.iter().map(|fip| fip.id.clone()).collect();
        // The first is DOWN, the second ACTIVE already.
        let before = [ids[1].clone(), "gone".to_owned()].into();
        let told = statuses(&router, true, &before);
        assert_eq!(told, [(ids[0].clone(), "ACTIVE"), ("gone".to_owned(), "DOWN")].into());
        let told = statuses(&router, false, &BTreeSet::new());
        assert_eq!(told, [(ids[0].clone(), "ERROR"), (ids[1].clone(), "ERROR")].into());
        router.gw_port = None;
        assert_eq!(statuses(&router, true, &[ids[1].clone()].into()), [(ids[1].clone(), "DOWN")].into());
    }
}
