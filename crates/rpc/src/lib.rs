//! oslo.messaging: requests, casts, fanouts and replies over a transport.
