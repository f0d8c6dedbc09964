-- Whose own a key is: what an agent's key may is also bounded by what he may.
ALTER TABLE api_keys ADD COLUMN agent TEXT;
