//! Names of ports and domains of networks: what upstream takes for one, and what a port is called.

use crate::api::view;
use crate::py;
use serde_json::Value;

/// The longest full name, in characters.
const FQDN_MAX: usize = 255;
/// The domain that stands for "no names are managed here".
const DEFAULT_DOMAIN: &str = "openstacklocal.";

fn string(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("'{}' is not a valid string", py::text(value)))
}

fn format(data: &str) -> Result<(), String> {
    let wrong = |reason: String| Err(format!("'{data}' not a valid PQDN or FQDN. Reason: {reason}"));
    let trimmed = data.strip_suffix('.').unwrap_or(data);
    if trimmed.chars().count() > FQDN_MAX {
        return wrong(format!("'{trimmed}' exceeds the {FQDN_MAX} character FQDN limit"));
    }
    let labels: Vec<&str> = trimmed.split('.').collect();
    for label in &labels {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if label.is_empty() {
            return wrong("Encountered an empty component".into());
        }
        if label.starts_with('-') || label.ends_with('-') {
            return wrong(format!("Name '{label}' must not start or end with a hyphen"));
        }
        if label.len() > 63 || !label.chars().all(plain) {
            return wrong(format!(
                "Name '{label}' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen"
            ));
        }
    }
    match labels.as_slice() {
        [_, .., last] if last.bytes().all(|b| b.is_ascii_digit()) => {
            wrong(format!("TLD '{last}' must not be all numeric"))
        }
        _ => Ok(()),
    }
}

/// `type:dns_domain_name`
pub fn domain(value: &Value) -> Result<(), String> {
    let data = string(value)?;
    if data.is_empty() {
        return Ok(());
    }
    if !data.ends_with('.') {
        return Err(format!("'{data}' is not a FQDN"));
    }
    format(data)?;
    let length = data.chars().count();
    if length > FQDN_MAX - 2 {
        return Err(format!(
            "'{data}' contains {length} characters. Adding a sub-domain will cause it to exceed the maximum length of a FQDN of '{FQDN_MAX}'"
        ));
    }
    Ok(())
}

/// `type:dns_host_name`, without the rule that ties full names to the configured domain.
pub fn host_name(value: &Value) -> Result<(), String> {
    match string(value)? {
        "" => Ok(()),
        data => format(data),
    }
}

/// The configured domain with its final dot; none where it is empty or stands for no management.
pub fn managed_domain(option: &str) -> Option<String> {
    let full = full_domain(option);
    (!full.is_empty() && full != DEFAULT_DOMAIN).then_some(full)
}

fn full_domain(option: &str) -> String {
    match option {
        "" => String::new(),
        option if option.ends_with('.') => option.to_string(),
        option => format!("{option}."),
    }
}

/// Whether a port's name fits the managed domain.
pub fn fits_domain(name: &str, option: &str) -> Result<(), String> {
    let Some(domain) = managed_domain(option) else { return Ok(()) };
    let higher = format!(".{domain}");
    let (long, more) = (name.chars().count(), higher.chars().count());
    match name.ends_with('.') {
        _ if name.is_empty() => Ok(()),
        false if long + more > FQDN_MAX => Err(format!(
            "The dns_name passed is a PQDN and its size is '{long}'. The dns_domain option in neutron.conf is set to {option}, with a length of '{more}'. When the two are concatenated to form a FQDN (with a '.' at the end), the resulting length exceeds the maximum size of '{FQDN_MAX}'"
        )),
        true if long <= more || !name.ends_with(&higher) => Err(format!(
            "The dns_name passed is a FQDN. Its higher level labels must be equal to the dns_domain option in neutron.conf, that has been set to '{option}'. It must also include one or more valid DNS labels to the left of '{option}'"
        )),
        true | false => Ok(()),
    }
}

/// `dns_assignment`: the names of a port's addresses, as JSON text.
pub fn assignment<'a>(
    option: &str,
    name: &str,
    current_domain: &str,
    addresses: impl Iterator<Item = &'a str>,
) -> String {
    let managed = managed_domain(option).is_some();
    let own = if managed && !current_domain.is_empty() { current_domain.into() } else { full_domain(option) };
    let mut json = vec![b'['];
    for address in addresses {
        let hostname = if managed && !name.is_empty() {
            name.to_string()
        } else {
            format!("host-{}", address.replace(['.', ':'], "-"))
        };
        let whole = hostname.ends_with('.') || own.is_empty();
        let fqdn = if whole { hostname.clone() } else { format!("{hostname}.{own}") };
        json.extend_from_slice(if json.len() == 1 { b"{" } else { b",{" });
        for (key, value) in [("ip_address", address), ("hostname", &hostname), ("fqdn", &fqdn)] {
            if key != "ip_address" {
                json.push(b',');
            }
            view::text(&mut json, key);
            json.push(b':');
            view::text(&mut json, value);
        }
        json.push(b'}');
    }
    json.push(b']');
    String::from_utf8(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_refused_in_upstreams_words() {
        let tail = "not a valid PQDN or FQDN. Reason:";
        let cases = [
            ("no dot", "'no dot' is not a FQDN".to_string()),
            ("-bad-.", format!("'-bad-.' {tail} Name '-bad-' must not start or end with a hyphen")),
            ("a..b.", format!("'a..b.' {tail} Encountered an empty component")),
            ("a.5.", format!("'a.5.' {tail} TLD '5' must not be all numeric")),
            ("x.example.", String::new()),
        ];
        for (name, expected) in cases {
            assert_eq!(domain(&json!(name)).err().unwrap_or_default(), expected);
        }
    }

    #[test]
    fn an_address_has_a_name() {
        let name = |option, name| {
            let json = assignment(option, name, "", ["10.0.0.5"].into_iter());
            let all: Value = serde_json::from_str(&json).unwrap();
            all[0]["fqdn"].as_str().unwrap().to_string()
        };
        assert_eq!(name("openstacklocal", "web"), "host-10-0-0-5.openstacklocal.");
        assert_eq!(name("example.org", "web"), "web.example.org.");
        assert_eq!(name("example.org.", ""), "host-10-0-0-5.example.org.");
        assert_eq!(name("", "web"), "host-10-0-0-5");
    }
}
