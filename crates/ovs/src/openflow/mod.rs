//! OpenFlow 1.3 and 1.4 with the extensions of Nicira (Open vSwitch).
