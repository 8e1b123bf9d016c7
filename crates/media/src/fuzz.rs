//! Bodies of the fuzz targets, so that stable builds can run them on recorded inputs too.
