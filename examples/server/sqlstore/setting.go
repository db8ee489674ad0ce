package sqlstore

import "errors"

// Setting returns the value that SetSetting gave a name; ok is false if there is none.
func (t *Tx) Setting(name string) (value string, ok bool, err error) {
	value, err = get(t, "setting", func(row scanner) (v string, err error) {
		return v, row.Scan(&v)
	}, "SELECT value FROM setting WHERE name = ?", name)
	if errors.Is(err, ErrNotFound) {
		return "", false, nil
	}
	return value, err == nil, err
}

// SetSetting gives a name a value.
func (t *Tx) SetSetting(name, value string) error {
	_, err := t.exec("setting", `INSERT INTO setting (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
