-- What committed transactions have to announce, until it is announced: one row per transaction.

CREATE TABLE `neutronrs_outbox` (
  `id` varchar(36) NOT NULL,
  `changes` mediumtext NOT NULL,
  PRIMARY KEY (`id`)
);
