#error "piwdemo-broken is meant to fail"
