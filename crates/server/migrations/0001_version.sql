-- Which of the tables of neutron-rs's own a database has.

CREATE TABLE `neutronrs_schema` (
  `version` int(11) NOT NULL,
  PRIMARY KEY (`version`)
);
