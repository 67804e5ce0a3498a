-- Whom to ask about a network (extension network-contact).

CREATE TABLE `neutronrs_network_contacts` (
  `network_id` varchar(36) NOT NULL,
  `contact` varchar(255) NOT NULL,
  PRIMARY KEY (`network_id`),
  CONSTRAINT `neutronrs_network_contacts_ibfk_1` FOREIGN KEY (`network_id`) REFERENCES `networks` (`id`) ON DELETE CASCADE
);
