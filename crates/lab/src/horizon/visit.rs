//! What a user does in the dashboard, step by step; after each the network service is asked as well.

use std::time::Duration;

use serde_json::Value;

use super::api::{Api, Request};
use super::browser::By;
use super::page::{Dashboard, Panel};
use super::serve;
use crate::report::{Report, within};
use crate::site::Site;

/// What the dashboard says on pages that ask Nova too: there is none.
const OF_NOVA: &str = "Invalid service catalog: compute";
/// How long a table may take to show what was done.
const SHOWN_MAX: Duration = Duration::from_secs(30);

/// Who logs in.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// The project.
    pub project: &'a str,
}

/// A user at the dashboard.
pub struct Visit<'a> {
    site: &'a Site,
    /// The dashboard.
    pub page: &'a Dashboard<'a>,
    /// The network service, asked directly.
    pub api: Api<'a>,
    who: Person<'a>,
}

impl<'a> Visit<'a> {
    /// The user's own view of the network service beside the dashboard.
    ///
    /// # Errors
    /// Keystone refuses.
    pub fn new(site: &'a Site, page: &'a Dashboard<'a>, who: Person<'a>) -> Result<Self, String> {
        Ok(Self { site, page, api: Api::new(site, who.user, who.password, who.project)?, who })
    }

    /// Takes a step, keeps a picture, and looks for complaints: on the page, in the browser's console and in the
    /// service's log.
    ///
    /// # Errors
    /// It is not as expected, or there are complaints; the ends of the dashboard's log and of the server's.
    pub fn step(
        &self,
        report: &mut Report,
        picture: &str,
        (tries, expects): (&str, &str),
        work: impl FnOnce(&Self) -> Result<String, String>,
    ) -> Result<(), String> {
        let done = report.step(tries, expects, || {
            let said = work(self);
            let messages = self.page.messages().unwrap_or_default();
            let file = self.page.picture(picture)?;
            let requests = self.api.requests()?;
            let count = requests.len();
            let mut complaints = complaints(&messages, &requests);
            let console = self.page.browser.console()?.into_iter().filter(|(level, _)| level == "SEVERE");
            complaints.extend(console.map(|(_, words)| format!("the browser says: {words}")));
            match said {
                Ok(said) if complaints.is_empty() => {
                    Ok(format!("{said}\n{file}; {count} requests to the network service, none refused"))
                }
                Ok(said) => Err(format!("{said}\n{}\n{file}", complaints.join("\n"))),
                Err(why) => Err(format!("{why}\n{}\n{file}", complaints.join("\n"))),
            }
        });
        if done {
            return Ok(());
        }
        let server = self.site.said(&self.site.controller, "neutron-server", 20);
        Err(format!(
            "{tries}\n--- the dashboard\n{}\n--- neutron-server\n{server}",
            serve::log(self.site, 20)
        ))
    }

    /// Logs in, and finds the panels of networks but none of Nova's.
    ///
    /// # Errors
    /// The dashboard refuses.
    pub fn enter(&self, report: &mut Report, wanted: &[Panel]) -> Result<(), String> {
        let tries = format!("open {} and log in as {}", serve::URL, self.who.user);
        self.step(report, "login", (&tries, "its panels of networks, none of Nova's"), |it| {
            it.page.log_in(it.who.user, it.who.password)?;
            let panels = it.page.panels()?;
            let has = |(dashboard, _, panel): &Panel| {
                panels.iter().any(|link| link.ends_with(&format!("/{dashboard}/{panel}/")))
            };
            let missing: Vec<_> = wanted.iter().filter(|panel| !has(panel)).collect();
            let instances = panels.iter().any(|link| link.ends_with("/instances/"));
            if missing.is_empty() && !instances {
                Ok(panels.join(" "))
            } else {
                Err(format!("missing {missing:?} in {panels:?}"))
            }
        })
    }

    /// Signs out.
    ///
    /// # Errors
    /// It does not come to that.
    pub fn leave(&self, report: &mut Report) -> Result<(), String> {
        self.step(report, "signed-out", ("Sign Out", "the page that asks for a name"), |it| {
            it.page.sign_out().map(|()| it.page.browser.url().unwrap_or_default())
        })
    }

    /// Neither the table nor the API has it any more; what the page says of that.
    ///
    /// # Errors
    /// One of them still has it.
    pub fn gone(
        &self,
        (table, row): (&str, &str),
        (collection, query): (&str, &str),
    ) -> Result<String, String> {
        let left = self.api.list(collection, query)?;
        if !left.is_empty() {
            return Err(format!("the API still has {left:?}"));
        }
        if self.page.has_row(table, row)? {
            return Err(format!("the table still has {row}"));
        }
        let said = self.page.messages()?;
        Ok(said.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join("\n"))
    }

    /// The words of a table, which must hold some.
    ///
    /// # Errors
    /// A word is missing.
    pub fn table(&self, id: &str, wanted: &[&str]) -> Result<String, String> {
        within(SHOWN_MAX, || {
            let table = self.page.browser.find(By::Css(&format!("table#{id}")))?;
            let text = self.page.browser.text(&table)?;
            holds(&text, wanted).map(|()| text)
        })
    }
}

/// What the page or the service's log hold against the network service.
fn complaints(messages: &[(String, String)], requests: &[Request]) -> Vec<String> {
    let said = messages.iter().filter(|(kind, words)| kind.as_str() != "success" && !words.contains(OF_NOVA));
    let said = said.map(|(kind, words)| format!("the page says ({kind}): {words}"));
    let refused = requests.iter().filter(|request| request.status >= 400);
    said.chain(refused.map(|request| format!("answered {}: {}", request.status, request.line))).collect()
}

/// Whether a text has these words.
///
/// # Errors
/// One is missing.
pub fn holds(text: &str, wanted: &[&str]) -> Result<(), String> {
    let missing: Vec<&&str> = wanted.iter().filter(|word| !text.contains(**word)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("missing {missing:?} in: {text}")) }
}

/// Whether a field of an object is this.
///
/// # Errors
/// It is not.
pub fn is(object: &Value, key: &str, wanted: &Value) -> Result<(), String> {
    if &object[key] == wanted { Ok(()) } else { Err(format!("{key} is not {wanted}: {object}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_errors_on_the_page_and_refusals_in_the_log() {
        let messages =
            [("success", "made"), ("danger", "not made")].map(|(k, w)| (k.to_owned(), w.to_owned()));
        let request = |line: &str, status| Request { line: line.to_owned(), status };
        let requests = [request("GET /v2.0/networks", 200), request("GET /v2.0/x", 404)];
        assert_eq!(
            complaints(&messages, &requests),
            ["the page says (danger): not made", "answered 404: GET /v2.0/x"]
        );
        assert!(complaints(&messages[..1], &requests[..1]).is_empty());
        let nova = [("danger".to_owned(), format!("Error: {OF_NOVA} Details"))];
        assert!(complaints(&nova, &[]).is_empty(), "a missing Nova is none of the network service's");
    }
}
