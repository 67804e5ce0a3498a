//! What is done about agents that are gone, every half `agent_down_time`.
