//! The dashboard's pages as a user handles them: panels of the side bar, tables with their menus, forms in dialogs.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::browser::{Browser, By};
use super::serve::URL;
use crate::host::Host;
use crate::report::{within, words};

/// How long a page may take after a click: the first ones of a dashboard that was just started.
const PAGE_MAX: Duration = Duration::from_secs(90);
/// How long a part of the side bar takes to unfold.
const UNFOLD: Duration = Duration::from_millis(600);
/// Says whether another page than the marked one is there, or why the dialog stays.
const TURNED: &str = "const wrong = document.querySelector(
    '.modal.in .has-error .help-block, .modal.in .alert-danger, .modal-body .alert-danger');
    if (wrong && wrong.offsetParent) return 'the dialog says: ' + wrong.innerText;
    if (window.labMark) return 'the page stays';
    if (document.readyState !== 'complete') return 'the page is not loaded';
    return window.jQuery && window.jQuery.active ? 'the page still asks' : null;";
/// Each message the page shows: its kind (`danger`, `success`), its words.
const MESSAGES: &str =
    "return [...document.querySelectorAll('.messages .alert, .toast .alert, #topologyMessages .alert')]
    .map(it => [[...it.classList].filter(c => /^alert-(danger|warning|success|info)$/.test(c))
    .map(c => c.slice(6))[0] || '', it.innerText.replace(/\\s+/g, ' ').replace('×', '').trim()])
    .filter(it => it[1]);";

/// A panel of the side bar: dashboard, group, panel, as in its address.
pub type Panel = (&'static str, &'static str, &'static str);

/// The dashboard in a browser.
pub struct Dashboard<'a> {
    /// The browser.
    pub browser: Browser<'a>,
    folder: PathBuf,
    taken: Cell<usize>,
}

impl<'a> Dashboard<'a> {
    /// A browser on a host; its screenshots go to a folder.
    ///
    /// # Errors
    /// It does not start, or the folder cannot be made.
    pub fn start(host: &'a Host, folder: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { browser: Browser::start(host)?, folder: folder.to_owned(), taken: Cell::new(0) })
    }

    /// Opens the dashboard, logs in, and reads the user's name off the page.
    ///
    /// # Errors
    /// It refuses.
    pub fn log_in(&self, user: &str, password: &str) -> Result<(), String> {
        self.browser.open(URL)?;
        self.browser.enter(By::Css("#id_username"), user)?;
        self.browser.enter(By::Css("#id_password"), password)?;
        self.turn(|browser| browser.click(By::Css("#loginBtn")))?;
        let name = self.browser.seen(By::Css(".user-name")).map_err(|why| {
            let said = self.browser.find(By::Css("body")).and_then(|body| self.browser.text(&body));
            format!("{why}: {}", said.unwrap_or_default())
        })?;
        let name = self.browser.text(&name)?;
        if name.trim() == user { Ok(()) } else { Err(format!("the page calls the user {name:?}")) }
    }

    /// Signs out by the user's menu.
    ///
    /// # Errors
    /// The page that asks for a name does not come.
    pub fn sign_out(&self) -> Result<(), String> {
        self.browser.click(By::Css(".user-menu .dropdown-toggle, .user-name"))?;
        self.turn(|browser| browser.click(By::Css("a[href$='/auth/logout/']")))?;
        self.browser.seen(By::Css("#id_username")).map(|_| ())
    }

    /// Clicks a panel of the side bar.
    ///
    /// # Errors
    /// It is not there.
    pub fn panel(&self, (dashboard, group, panel): Panel) -> Result<(), String> {
        let link = format!("a.openstack-panel[href$='/{dashboard}/{panel}/']");
        let parts =
            [format!("sidebar-accordion-{dashboard}"), format!("sidebar-accordion-{dashboard}-{group}")];
        for part in parts {
            let shown = self.browser.find(By::Css(&format!("#{part}")))?;
            if !self.browser.displayed(&shown)? {
                self.browser.click(By::Css(&format!("a[aria-controls='{part}']")))?;
                std::thread::sleep(UNFOLD);
            }
        }
        self.turn(|browser| browser.click(By::Css(&link)))
    }

    /// The side bar's panels, by their addresses.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn panels(&self) -> Result<Vec<String>, String> {
        let links =
            "return [...document.querySelectorAll('a.openstack-panel')].map(it => it.getAttribute('href'))";
        Ok(strings(&self.browser.script(links)?))
    }

    /// The cells of the row with that name in a table.
    ///
    /// # Errors
    /// There is none.
    pub fn row(&self, table: &str, name: &str) -> Result<String, String> {
        let row = self.browser.seen(By::XPath(&row_path(table, name)))?;
        Ok(self.browser.text(&row)?.replace('\n', " "))
    }

    /// Whether a table has a row of that name.
    ///
    /// # Errors
    /// There is no such table.
    pub fn has_row(&self, table: &str, name: &str) -> Result<bool, String> {
        self.browser.seen(By::Css(&format!("table#{table}")))?;
        Ok(self.browser.find(By::XPath(&row_path(table, name))).is_ok())
    }

    /// Follows the link of a row's name.
    ///
    /// # Errors
    /// There is none.
    pub fn follow(&self, table: &str, name: &str) -> Result<(), String> {
        let path = format!("{}//a[normalize-space()='{name}']", row_path(table, name));
        self.turn(|browser| browser.click(By::XPath(&path)))
    }

    /// Clicks an action of a row, in its menu or beside it.
    ///
    /// # Errors
    /// There is none.
    pub fn row_action(&self, table: &str, name: &str, action: &str) -> Result<(), String> {
        let row = row_path(table, name);
        let button = format!("{row}//*[contains(@id, '__action_{action}')]");
        let found = self.browser.find(By::XPath(&button))?;
        if !self.browser.displayed(&found)? {
            self.browser.click(By::XPath(&format!("{row}//a[contains(@class, 'dropdown-toggle')]")))?;
        }
        self.browser.click(By::XPath(&button))
    }

    /// Clicks an action above a table.
    ///
    /// # Errors
    /// There is none.
    pub fn table_action(&self, table: &str, action: &str) -> Result<(), String> {
        self.browser.click(By::Css(&format!("[id='{table}__action_{action}']")))
    }

    /// Clicks a tab of a page.
    ///
    /// # Errors
    /// There is none.
    pub fn tab(&self, name: &str) -> Result<(), String> {
        let path = format!("//ul[contains(@class, 'nav-tabs')]//a[normalize-space()='{name}']");
        self.browser.click(By::XPath(&path))
    }

    /// Fills a field of a form.
    ///
    /// # Errors
    /// There is none.
    pub fn fill(&self, field: &str, text: &str) -> Result<(), String> {
        self.browser.enter(By::Css(&format!("#id_{field}")), text)
    }

    /// Clicks a box of a form that is checked or not.
    ///
    /// # Errors
    /// There is none.
    pub fn check(&self, field: &str) -> Result<(), String> {
        self.browser.click(By::Css(&format!("label[for='id_{field}']")))
    }

    /// Picks the choice of a field whose words hold these.
    ///
    /// # Errors
    /// There is no such choice.
    pub fn choose(&self, field: &str, choice: &str) -> Result<(), String> {
        // What is seen is a menu before the real field.
        let menu = format!("//select[@id='id_{field}']/ancestor::div[contains(@class, 'themable-select')]");
        self.browser.click(By::XPath(&format!("{menu}/button")))?;
        self.browser.click(By::XPath(&format!("{menu}//li/a[contains(normalize-space(), '{choice}')]")))
    }

    /// Clicks the button that goes on in a dialog of steps.
    ///
    /// # Errors
    /// There is none.
    pub fn next(&self) -> Result<(), String> {
        self.browser.click(By::Css(".modal.in .button-next"))
    }

    /// Sends the form of the dialog and waits for the page that comes then.
    ///
    /// # Errors
    /// The dialog stays; what it says.
    pub fn submit(&self) -> Result<(), String> {
        self.turn(|browser| {
            let buttons = "//*[contains(@class, 'modal') and contains(@class, 'in')]//*[self::button or self::input]\
                           [@type='submit'][contains(@class, 'btn-primary')]";
            browser.click(By::XPath(buttons))
        })
    }

    /// Confirms what a dialog asks before something is taken away.
    ///
    /// # Errors
    /// It does not ask.
    pub fn confirm(&self) -> Result<(), String> {
        self.turn(|browser| browser.click(By::Css(".modal.in .modal-footer .btn-danger")))
    }

    /// Does what leads to another page and waits until it is there.
    ///
    /// # Errors
    /// It does not come.
    pub fn turn(&self, act: impl FnOnce(&Browser<'a>) -> Result<(), String>) -> Result<(), String> {
        self.browser.script("window.labMark = true")?;
        act(&self.browser)?;
        within(PAGE_MAX, || match self.browser.script(TURNED)? {
            Value::Null => Ok(Ok(())),
            Value::String(why) if why.starts_with("the page") => Err(why),
            why => Ok(Err(why.as_str().unwrap_or_default().to_owned())),
        })?
    }

    /// What the page tells its user: kind and words of each message.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn messages(&self) -> Result<Vec<(String, String)>, String> {
        let all = self.browser.script(MESSAGES)?;
        let pairs = all.as_array().into_iter().flatten().map(strings);
        Ok(pairs.filter_map(|pair| <[String; 2]>::try_from(pair).ok()).map(Into::into).collect())
    }

    /// Keeps what the window shows; returns the file's name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn picture(&self, name: &str) -> Result<String, String> {
        self.taken.set(self.taken.get() + 1);
        let file = format!("{:02}-{name}.png", self.taken.get());
        std::fs::write(self.folder.join(&file), self.browser.screenshot()?).map_err(words)?;
        Ok(file)
    }
}

/// A row by what it is called, or by the words of a cell.
fn row_path(table: &str, name: &str) -> String {
    format!("//table[@id='{table}']//tr[@data-display='{name}' or td[normalize-space()='{name}']]")
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
