-- Sign-ins under way are bounded per network in which they began.
ALTER TABLE login ADD COLUMN network TEXT NOT NULL DEFAULT '';
CREATE INDEX login_network ON login (network, created_at);
