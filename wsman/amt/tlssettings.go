package amt

// ForPut returns a copy that firmware takes: without the property that it reports for reading only.
func (s *TLSSettingData) ForPut() *TLSSettingData {
	c := *s
	c.NonSecureConnectionsSupported = nil
	return &c
}
