package amt

// ForPut returns a copy that firmware takes: without the properties that it reports for reading only, and without the
// parameters and passwords of an earlier boot. Set what is wanted of these in the copy.
func (s *BootSettingData) ForPut() *BootSettingData {
	c := *s
	c.BIOSLastStatus = nil
	c.BootguardStatus = 0
	c.OptionsCleared = false
	c.RPEEnabled = false
	c.RSEPassword = none
	c.SecureBootControlEnabled = false
	c.UEFIHTTPSBootEnabled = false
	c.UEFILocalPBABootEnabled = false
	c.UEFIBootNumberOfParams = 0
	c.UEFIBootParametersArray = none
	c.WinREBootEnabled = false
	return &c
}
