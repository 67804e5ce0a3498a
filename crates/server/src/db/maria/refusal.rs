//! What MariaDB and MySQL refuse, in the facade's words.

use super::super::Stop;
use mysql_async::{DriverError, Error};

/// An error of the driver or the server.
pub(super) fn stop(error: Error) -> Stop {
    match error {
        Error::Server(server) => refused(server.code, server.message),
        Error::Io(error) => Stop::Lost(error.to_string()),
        Error::Driver(
            error @ (DriverError::ConnectionClosed
            | DriverError::PoolDisconnected
            | DriverError::PacketOutOfOrder),
        ) => Stop::Lost(error.to_string()),
        other => Stop::Database(other.to_string()),
    }
}

/// An error of the server by its number.
fn refused(code: u16, message: String) -> Stop {
    match code {
        // Deadlock; lock wait; Galera refused the certification (it says deadlock too, and 1180 on some commits).
        1213 | 1205 | 1020 => Stop::Retry(message),
        1180 if message.contains("certification")
            || message.contains("Deadlock")
            || message.contains("149") =>
        {
            Stop::Retry(message)
        }
        // A commit that went wrong on its way, as where the node loses the others: it may have been done.
        1180 => Stop::Busy(message),
        // Galera's node is not (yet, any more) part of the cluster; the server is going down or was lost.
        1047 if message.contains("WSREP") => Stop::Lost(message),
        1053 | 1077 | 1079 | 1317 | 1927 | 2006 | 2013 | 1040 | 4031 => Stop::Lost(message),
        1062 | 1586 => Stop::Duplicate(key(&message)),
        1451 | 1452 | 1216 | 1217 => Stop::ForeignKey,
        1406 | 1366 | 1264 | 1265 | 1292 | 1300 => Stop::Value(message),
        _ => Stop::Database(format!("{message} ({code})")),
    }
}

/// The key's name from `Duplicate entry 'x' for key 'uniq_ports0network_id0mac_address'`; MySQL 8 puts the table
/// before it (`'ports.uniq_…'`).
fn key(message: &str) -> String {
    let name = message.trim_end_matches('\'').rsplit('\'').next().unwrap_or(message);
    name.rsplit('.').next().unwrap_or(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_kinds() {
        let deadlock = "Deadlock found when trying to get lock; try restarting transaction";
        for (code, message, wanted) in [
            (1213, deadlock, Stop::Retry(deadlock.into())),
            (1205, "Lock wait timeout exceeded", Stop::Retry("Lock wait timeout exceeded".into())),
            (
                1047,
                "WSREP has not yet prepared node for application use",
                Stop::Lost("WSREP has not yet prepared node for application use".into()),
            ),
            (
                1180,
                "Got error 149 \"Lock deadlock; Retry transaction\" during COMMIT",
                Stop::Retry("Got error 149 \"Lock deadlock; Retry transaction\" during COMMIT".into()),
            ),
            (
                1180,
                "Got error 6 \"No such device or address\" during COMMIT",
                Stop::Busy("Got error 6 \"No such device or address\" during COMMIT".into()),
            ),
            (1047, "Unknown command", Stop::Database("Unknown command (1047)".into())),
            (
                1062,
                "Duplicate entry 'a-b' for key 'uniq_ports0network_id0mac_address'",
                Stop::Duplicate("uniq_ports0network_id0mac_address".into()),
            ),
            (1062, "Duplicate entry 'x' for key 'quotas.PRIMARY'", Stop::Duplicate("PRIMARY".into())),
            (1062, "Duplicate entry ''' for key 'PRIMARY'", Stop::Duplicate("PRIMARY".into())),
            (1451, "Cannot delete or update a parent row", Stop::ForeignKey),
            (1452, "Cannot add or update a child row", Stop::ForeignKey),
            (1146, "Table 'x.y' doesn't exist", Stop::Database("Table 'x.y' doesn't exist (1146)".into())),
        ] {
            assert_eq!(refused(code, message.into()), wanted, "{code}");
        }
    }
}
