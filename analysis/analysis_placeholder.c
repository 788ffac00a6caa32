typedef int rh_analysis_placeholder;
