"""COVID-19 in chest radiographs: tables and figures of chapter 7."""
