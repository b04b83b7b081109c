// @schedule * * * * *
// @timeout 5s
// @description Counts the days to New Year; JavaScript with a return at its top level
// @tags example

const now = process.env.SCHEDD_SLOT ? new Date(process.env.SCHEDD_SLOT) : new Date();
const year = now.getUTCFullYear() + 1;
const days = Math.ceil((Date.UTC(year, 0, 1) - now.getTime()) / 86_400_000);

console.log(`${days} ${days === 1 ? 'day' : 'days'} to ${year}`);
return { days, year };
