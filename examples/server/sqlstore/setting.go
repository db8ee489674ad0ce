package sqlstore

// Setting is the record of one of the server's own settings.
type Setting struct {
	Value string `json:"value,keep"`
}
